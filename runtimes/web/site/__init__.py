"""The shop: a small web site that ships with the platform, so that web tasks can run and be graded offline.

`async with Shop() as shop:` serves it on 127.0.0.1 at `shop.port`; a browser that maps the name sees it as
`http://shop.test/`. Every page has the links Home, Orders, Contact, Coupon, Cart and Log in (Account, once
logged in), then one heading of level 1. Labels and buttons are what an agent's snapshot shows.

========================  =========================================================================
`/`                       textbox "Search products", button "Search"; one link a category
`/search?q=`              table Product, Chinese name, Price; each product a link; every word must
                          occur in the English or Chinese name
`/category/<slug>`        the same table; slugs tea, kitchen, stationery, electronics, outdoor, books
`/product/<id>`           heading = English name; Chinese name, Price "$18.50", Stock "42 in stock" or
                          "Out of stock", Rating "4.7 of 5"; spinbutton "Quantity", button "Add to cart"
`/cart`                   table Product, Price, Quantity, Subtotal, Remove; button "Remove <name>";
                          "Total: $37.00", or "Your cart is empty."
`/orders?status=&page=`   20 orders a page; combobox "Status" (All first), button "Filter"; links
                          "Previous page", "Next page"; columns Order, Customer, City, Status, Total, Date
`/contact`                textboxes "Name", "Email", "Message", combobox "Topic", checkbox "Subscribe to
                          the newsletter", button "Send message"; then heading "Thank you" and
                          "Reference number: C-123456", always the same for the same message
`/coupon`                 textbox "Coupon code", button "Apply"; status "Coupon X accepted." or alert
                          "Coupon X is not valid."
`/login`                  textboxes "Username", "Password", button "Log in"; wrong: alert "Wrong username
                          or password."
`/account`                Balance "$120.50", Tier, City; combobox "Newsletter" (none, weekly, monthly),
                          button "Save"; button "Log out"
========================  =========================================================================

Graders also read `/_world/catalogue.json`, `orders.json`, `accounts.json` (no passwords) and `state.json`:
`{"cart": {name: quantity}, "contacts": [{"name", "email", "topic", "message", "subscribe",
"reference"}], "coupons": [{"code", "accepted"}], "logged_in": username or null, "newsletter": {username:
setting}, "failed_logins": [username]}`. Those paths answer 403 without the shop's `grader_key`.
"""

from runtimes.web.site.server import GRADER_HEADER, Shop

__all__ = ["GRADER_HEADER", "Shop"]
