"""What the shop sells, who bought it and who may log in: the fixed data behind every page of the site.

Data only. Everything is written out or computed without chance, so that the same task has the same answer in
every run; what a visitor changes lives in the visit (`server.py`), never here.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Literal

from msgspec import Struct

OrderStatus = Literal["Pending", "Processing", "Shipped", "Delivered", "Cancelled"]
Newsletter = Literal["none", "weekly", "monthly"]

ORDER_STATUSES: tuple[OrderStatus, ...] = ("Pending", "Processing", "Shipped", "Delivered", "Cancelled")
NEWSLETTER_CHOICES: tuple[Newsletter, ...] = ("none", "weekly", "monthly")
CONTACT_TOPICS = ("Order", "Delivery", "Returns", "Product question", "Other")
VALID_COUPONS = frozenset({"SPRING10", "FREESHIP", "WELCOME5", "TEA2024"})


class Product(Struct, frozen=True):
    """One article; `price` in US dollars, `rating` from 1 to 5, `category` a slug of CATEGORIES."""

    id: int
    category: str
    name: str
    name_zh: str
    price: float
    stock: int
    rating: float


class Order(Struct, frozen=True):
    """One line of the order table; `total` in US dollars, `date` as YYYY-MM-DD."""

    number: str
    customer: str
    city: str
    status: OrderStatus
    total: float
    date: str


class Account(Struct, frozen=True):
    """One user; `balance` in US dollars."""

    username: str
    password: str
    balance: float
    tier: str
    city: str


CATEGORIES = {
    "tea": "Tea",
    "kitchen": "Kitchen",
    "stationery": "Stationery",
    "electronics": "Electronics",
    "outdoor": "Outdoor",
    "books": "Books",
}

_PRODUCT_ROWS: tuple[tuple[str, str, str, float, int, float], ...] = (
    ("tea", "Green Tea Longjing", "龙井绿茶", 18.50, 42, 4.7),
    ("tea", "Jasmine Pearl Tea", "茉莉龙珠", 22.00, 17, 4.6),
    ("tea", "Aged Pu-erh Cake", "陈年普洱饼", 46.80, 9, 4.8),
    ("tea", "Oolong Tieguanyin", "铁观音", 27.90, 0, 4.5),
    ("tea", "Chrysanthemum Tea", "菊花茶", 9.40, 65, 4.1),
    ("tea", "Black Tea Keemun", "祁门红茶", 16.20, 33, 4.4),
    ("tea", "White Tea Silver Needle", "白毫银针", 39.00, 12, 4.9),
    ("kitchen", "Cast Iron Wok", "铸铁炒锅", 54.00, 14, 4.6),
    ("kitchen", "Bamboo Steamer", "竹蒸笼", 19.90, 38, 4.3),
    ("kitchen", "Porcelain Teapot", "瓷茶壶", 34.50, 21, 4.7),
    ("kitchen", "Chef Knife 20 cm", "主厨刀", 62.30, 8, 4.8),
    ("kitchen", "Rice Cooker", "电饭煲", 89.00, 11, 4.5),
    ("kitchen", "Chopsticks Set of Ten", "十双筷子", 7.80, 120, 4.0),
    ("kitchen", "Glass Storage Jar", "玻璃储物罐", 11.60, 54, 4.2),
    ("stationery", "Calligraphy Brush Set", "毛笔套装", 24.70, 26, 4.6),
    ("stationery", "Grid Notebook A5", "方格笔记本", 5.90, 200, 4.3),
    ("stationery", "Fountain Pen", "钢笔", 31.00, 19, 4.7),
    ("stationery", "Rice Paper Pack", "宣纸", 13.30, 47, 4.4),
    ("stationery", "Desk Calendar", "台历", 8.20, 73, 3.9),
    ("stationery", "Red Ink Pad", "朱砂印泥", 15.40, 0, 4.5),
    ("electronics", "Wireless Mouse", "无线鼠标", 21.90, 58, 4.2),
    ("electronics", "Mechanical Keyboard", "机械键盘", 78.00, 16, 4.7),
    ("electronics", "USB-C Hub", "USB-C 扩展坞", 36.40, 29, 4.1),
    ("electronics", "Desk Lamp", "台灯", 27.30, 34, 4.4),
    ("electronics", "Noise Cancelling Headphones", "降噪耳机", 149.00, 7, 4.8),
    ("electronics", "Portable Charger", "移动电源", 25.50, 61, 4.3),
    ("electronics", "Smart Thermometer", "智能温度计", 17.70, 22, 3.8),
    ("outdoor", "Trekking Poles", "登山杖", 41.20, 18, 4.5),
    ("outdoor", "Camping Lantern", "露营灯", 23.60, 31, 4.4),
    ("outdoor", "Insulated Bottle", "保温杯", 19.20, 84, 4.6),
    ("outdoor", "Folding Chair", "折叠椅", 38.90, 13, 4.2),
    ("outdoor", "Two Person Tent", "双人帐篷", 132.00, 5, 4.7),
    ("outdoor", "Rain Jacket", "雨衣", 58.40, 24, 4.3),
    ("outdoor", "Picnic Blanket", "野餐垫", 16.90, 0, 4.0),
    ("books", "Dream of the Red Chamber", "红楼梦", 29.80, 15, 4.9),
    ("books", "Journey to the West", "西游记", 26.40, 23, 4.8),
    ("books", "The Art of War", "孙子兵法", 12.10, 44, 4.6),
    ("books", "Three Hundred Tang Poems", "唐诗三百首", 14.60, 37, 4.7),
    ("books", "Sichuan Home Cooking", "川菜家常菜", 20.70, 20, 4.4),
    ("books", "A Field Guide to Birds", "野鸟图鉴", 33.20, 10, 4.5),
)

PRODUCTS: tuple[Product, ...] = tuple(Product(100 + n, *row) for n, row in enumerate(_PRODUCT_ROWS, start=1))
PRODUCTS_BY_ID = {product.id: product for product in PRODUCTS}

_CUSTOMERS = (
    "Alice Chen", "Ben Okafor", "Carla Rossi", "David Kim", "Elena Petrova", "Farid Haddad", "Grace Liu",
    "Hugo Martin", "Ines Costa", "Jonas Weber", "Keiko Tanaka", "Liam Murphy", "Mei Wang", "Noah Smith",
    "Olga Novak", "Priya Nair", "Quentin Blake",
)  # fmt: skip
_CITIES = (
    "Beijing", "Lagos", "Rome", "Seoul", "Prague", "Shanghai", "Lyon", "Lisbon", "Berlin", "Osaka", "Dublin",
    "Toronto", "Mumbai",
)  # fmt: skip
_STATUS_CYCLE: tuple[OrderStatus, ...] = (
    "Delivered", "Shipped", "Pending", "Delivered", "Processing", "Delivered", "Cancelled", "Delivered",
    "Shipped",
)  # fmt: skip
_FIRST_ORDER_DAY = date(2024, 1, 3)


def _order(n: int) -> Order:
    """Order `n`. The multipliers are prime to the lengths they wrap, so that columns do not move in step."""
    return Order(
        number=f"SO-{1001 + n}",
        customer=_CUSTOMERS[n * 5 % len(_CUSTOMERS)],
        city=_CITIES[n * 4 % len(_CITIES)],
        status=_STATUS_CYCLE[n * 2 % len(_STATUS_CYCLE)],
        total=(1250 + n * 7919 % 38_400) / 100,
        date=(_FIRST_ORDER_DAY + timedelta(days=n * 2 + n % 3)).isoformat(),
    )


ORDERS: tuple[Order, ...] = tuple(_order(n) for n in range(60))

ACCOUNTS: tuple[Account, ...] = (
    Account("alice", "maple-river-41", 120.50, "Gold", "Beijing"),
    Account("ben", "copper-lamp-77", 15.00, "Bronze", "Lagos"),
    Account("carla", "olive-stone-12", 310.25, "Platinum", "Rome"),
    Account("david", "paper-crane-58", 64.80, "Silver", "Seoul"),
    Account("elena", "winter-fox-93", 0.00, "Bronze", "Prague"),
    Account("farid", "cedar-wind-26", 88.40, "Silver", "Lyon"),
    Account("grace", "lotus-bridge-64", 205.10, "Gold", "Shanghai"),
    Account("hugo", "amber-field-35", 42.75, "Bronze", "Lisbon"),
    Account("ines", "coral-moon-80", 150.00, "Gold", "Berlin"),
    Account("keiko", "silver-pine-19", 512.90, "Platinum", "Osaka"),
    Account("liam", "quiet-harbor-52", 7.30, "Bronze", "Dublin"),
    Account("mei", "jade-garden-88", 273.60, "Gold", "Toronto"),
)
ACCOUNTS_BY_NAME = {account.username: account for account in ACCOUNTS}


def search_products(query: str) -> list[Product]:
    """Products whose English or Chinese name holds every word of `query`, case ignored; none for no words."""
    words = query.casefold().split()
    return [
        p for p in PRODUCTS if words and all(word in f"{p.name} {p.name_zh}".casefold() for word in words)
    ]
