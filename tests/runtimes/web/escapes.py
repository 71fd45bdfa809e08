"""Ways by which a page, or who drives it, may come to an address: each asks for one that it must not reach.

A way is HTML that asks as soon as it is opened, or a function that asks. TARGET stands for an http address
with a path, SOCKET for the same as ws, TLS as https, HOST for host and port, SITE for the address of the
page's own site, which answers `Escape.serve` wishes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from aiohttp import web
from playwright.async_api import Error, Page


async def site(request: web.Request) -> web.Response:
    """Answers just what the address asks for, so that a test says in one place what happens."""
    query = request.query
    headers = [header.partition(": ")[::2] for header in query.getall("header", [])]
    return web.Response(
        status=int(query.get("status", 200)),
        text=query.get("body", ""),
        content_type=query.get("type", "text/html"),
        headers=dict(headers),
    )


@dataclass
class Escape:
    """One attempt from a page of `site` to reach `host`, "127.0.0.1:PORT".

    `numbered_site` is the same site for clients that cannot find its name.
    """

    page: Page
    site: str
    numbered_site: str
    host: str

    def serve(
        self, body: str = "", *headers: str, type: str = "text/html", status: int = 200, name: str = ""
    ) -> str:
        """An address of the site that answers so."""
        wish = {"body": self.fill(body), "type": type, "status": status}
        wished = [*wish.items(), *(("header", self.fill(header)) for header in headers)]
        return f"{self.site}{name}?{urlencode(wished)}"

    def fill(self, text: str) -> str:
        words = {
            "TARGET": f"http://{self.host}/way",
            "SOCKET": f"ws://{self.host}/way",
            "TLS": f"https://{self.host}/way",
            "HOST": self.host,
            "PORT": self.host.rpartition(":")[2],
            "SITE": self.site,
        }
        for word, value in words.items():
            text = text.replace(word, value)
        return text

    async def open(self, url: str) -> None:
        with suppress(Error):  # which it is where the address is refused
            await self.page.goto(url, wait_until="commit")

    async def open_html(self, body: str, *headers: str) -> None:
        await self.open(self.serve(body, *headers))

    def redirect(self, status: int = 302, to: str = "TARGET") -> str:
        return self.serve("", f"Location: {to}", status=status)

    async def request(self, method: str, url: str) -> None:
        """One by Playwright itself, whose client is not the browser's."""
        with suppress(Error):
            await self.page.request.fetch(url, method=method, timeout=10_000)


Act = Callable[[Escape], Coroutine[Any, Any, None]]


def _script(source: str) -> str:
    return f"<body><script>{source}</script>"


def _sandboxed(source: str) -> str:
    return f"data:text/html,{quote(source)}"


def _worker(source: str, kind: str = "Worker") -> str:
    return _script(f"new {kind}(URL.createObjectURL(new Blob([{json.dumps(source)}])))")


HTML = {
    # Navigations of the page, its frames and windows of its own.
    "meta refresh": '<meta http-equiv=refresh content="0;url=TARGET">',
    "location": _script("location = 'TARGET'"),
    "location.replace": _script("location.replace('TARGET')"),
    "location, http to https": _script("location = 'TLS'"),
    "navigation.navigate": _script("navigation.navigate('TARGET')"),
    "link clicked": "<a id=a href=TARGET>x</a>" + _script("a.click()"),
    "link target=_blank": "<a id=a target=_blank href=TARGET>x</a>" + _script("a.click()"),
    "link target=_blank noreferrer": "<a id=a target=_blank rel=noreferrer href=TARGET>x</a>"
    + _script("a.click()"),
    "area clicked": "<map><area id=a href=TARGET></map>" + _script("a.click()"),
    "base href": "<base href=TARGET><a id=a href=more>x</a>" + _script("a.click()"),
    "svg link": "<svg><a id=a href=TARGET><text>x</text></a></svg>"
    + _script("a.dispatchEvent(new MouseEvent('click'))"),
    "window.open": _script("open('TARGET')"),
    "window.open noopener": _script("open('TARGET', '', 'noopener')"),
    "window.open, then its location": _script("open('about:blank').location = 'TARGET'"),
    "window.open, written into": _script("open().document.write('<img src=TARGET>')"),
    "form get": "<form id=f action=TARGET></form>" + _script("f.submit()"),
    "form post": "<form id=f method=post action=TARGET></form>" + _script("f.submit()"),
    "form target=_blank": "<form id=f method=post target=_blank action=TARGET></form>"
    + _script("f.submit()"),
    "formaction": "<form id=f><button id=b formaction=TARGET></form>" + _script("f.requestSubmit(b)"),
    "iframe": "<iframe src=TARGET></iframe>",
    "iframe loading later": _script(
        "document.body.append(Object.assign(document.createElement('iframe'), {src: 'TARGET'}))"
    ),
    "iframe in srcdoc": '<iframe srcdoc="<iframe src=TARGET></iframe>"></iframe>',
    "iframe in a data: document": f'<iframe src="{_sandboxed("<iframe src=TARGET></iframe>")}"></iframe>',
    "image in a data: document": f'<iframe src="{_sandboxed("<img src=TARGET>")}"></iframe>',
    "iframe in a blob: document": _script(
        "const i = document.createElement('iframe'); document.body.append(i);"
        "i.src = URL.createObjectURL(new Blob(['<iframe src=TARGET>'], {type: 'text/html'}))"
    ),
    "iframe of javascript:": "<iframe src=\"javascript:'<img src=TARGET>'\"></iframe>",
    "sandboxed iframe": "<iframe sandbox srcdoc='<img src=TARGET>'></iframe>",
    "frameset": "<frameset><frame src=TARGET></frameset>",
    "object": "<object data=TARGET></object>",
    "embed": "<embed src=TARGET>",
    # What a document is made of.
    "image": "<img src=TARGET>",
    "image srcset": "<img srcset='TARGET 1x'>",
    "picture": "<picture><source srcset=TARGET><img></picture>",
    "image input": "<input type=image src=TARGET>",
    "body background": "<body background=TARGET>x",
    "svg image": "<svg><image href=TARGET width=9 height=9 /></svg>",
    "svg feImage": "<svg><filter id=f><feImage href=TARGET /></filter><rect filter=url(#f) width=9 height=9>",
    "stylesheet": "<link rel=stylesheet href=TARGET>",
    "css @import": "<style>@import 'TARGET';</style>",
    "css background": "<style>body { background: url(TARGET) }</style>x",
    "css content": "<style>b::after { content: url(TARGET) }</style><b>x</b>",
    "css image-set": "<style>body { background: image-set('TARGET' 1x) }</style>x",
    "css mask": "<style>b { mask: url(TARGET); display: block }</style><b>x</b>",
    "css cursor": "<style>body { cursor: url(TARGET), auto }</style>x",
    "css font": "<style>@font-face { font-family: f; src: url(TARGET) } b { font-family: f }</style><b>x</b>",
    "FontFace": _script("new FontFace('f', 'url(TARGET)').load()"),
    "script": "<script src=TARGET></script>",
    "module script": "<script type=module src=TARGET></script>",
    "module import": "<script type=module>import 'TARGET'</script>",
    "dynamic import": _script("import('TARGET')"),
    "import map": '<script type=importmap>{"imports": {"x": "TARGET"}}</script>'
    "<script type=module>import 'x'</script>",
    "video": "<video src=TARGET preload=auto></video>",
    "video poster": "<video poster=TARGET></video>",
    "audio": "<audio src=TARGET preload=auto></audio>",
    "media source": "<video preload=auto><source src=TARGET></video>",
    "text track": "<video src=x crossorigin><track src=TARGET kind=captions default></video>"
    + _script("document.querySelector('track').track.mode = 'showing'"),
    # Hints.
    "preload": "<link rel=preload as=image href=TARGET>",
    "modulepreload": "<link rel=modulepreload href=TARGET>",
    "prefetch": "<link rel=prefetch href=TARGET>",
    "compression dictionary": "<link rel=compression-dictionary href=TARGET>",
    # Requests of scripts.
    "fetch": _script("fetch('TARGET')"),
    "fetch no-cors": _script("fetch('TARGET', {mode: 'no-cors'})"),
    "fetch with a preflight": _script("fetch('TARGET', {method: 'PUT', headers: {x: 'y'}})"),
    "fetch post": _script("fetch('TARGET', {method: 'POST', body: 'x', mode: 'no-cors'})"),
    "fetch keepalive of a page that goes": _script(
        "fetch('TARGET', {keepalive: true, mode: 'no-cors'}); location = 'about:blank'"
    ),
    "fetch https": _script("fetch('TLS')"),
    "XMLHttpRequest": _script("const x = new XMLHttpRequest(); x.open('GET', 'TARGET'); x.send()"),
    "XMLHttpRequest, synchronous": _script(
        "const x = new XMLHttpRequest(); x.open('GET', 'TARGET', false); x.send()"
    ),
    "WebSocket": _script("new WebSocket('SOCKET')"),
    "WebSocket over TLS": _script("new WebSocket('wss://HOST/way')"),
    "WebSocketStream": _script("new WebSocketStream('SOCKET')"),
    "EventSource": _script("new EventSource('TARGET')"),
    "sendBeacon": _script("navigator.sendBeacon('TARGET', 'x')"),
    "sendBeacon on leaving": _script(
        "addEventListener('pagehide', () => navigator.sendBeacon('TARGET')); location = 'about:blank'"
    ),
    "ping of a link": "<a id=a ping=TARGET href='#x'>x</a>" + _script("a.click()"),
    "download of a link": "<a id=a download href=TARGET>x</a>" + _script("a.click()"),
    "worker fetch": _worker("fetch('TARGET')"),
    "worker importScripts": _worker("importScripts('TARGET')"),
    "worker WebSocket": _worker("new WebSocket('SOCKET')"),
    "worker XMLHttpRequest": _worker("x = new XMLHttpRequest(); x.open('GET', 'TARGET'); x.send()"),
    "worker in a worker": _worker("new Worker(URL.createObjectURL(new Blob([`fetch('TARGET')`])))"),
    "module worker import": _script(
        "new Worker(URL.createObjectURL(new Blob([`import 'TARGET'`], {type: 'text/javascript'})),"
        "{type: 'module'})"
    ),
    "shared worker fetch": _worker("fetch('TARGET')", "SharedWorker"),
    "audio worklet": _script("new OfflineAudioContext(1, 1, 8000).audioWorklet.addModule('TARGET')"),
    "TURN over TCP": _script(
        "const p = new RTCPeerConnection({iceServers: [{urls: 'turn:HOST?transport=tcp',"
        "username: 'u', credential: 'c'}]}); p.createDataChannel('d');"
        "p.createOffer().then(offer => p.setLocalDescription(offer))"
    ),
}

HEADERS = {
    "refresh header": "Refresh: 0;url=TARGET",
    "preload header": "Link: <TARGET>; rel=preload; as=image",
    "csp report-uri": "Content-Security-Policy: img-src 'none'; report-uri TARGET",
}

REDIRECTED = {
    "image": "<img src='{}'>",
    "iframe": "<iframe src='{}'></iframe>",
    "script": "<script src='{}'></script>",
    "stylesheet": "<link rel=stylesheet href='{}'>",
    "fetch": _script("fetch('{}', {mode: 'no-cors'})"),
    "EventSource": _script("new EventSource('{}')"),
    "window.open": _script("open('{}')"),
    "worker fetch": _worker("fetch('{}')"),
    "form post": "<form id=f method=post action='{}'></form>" + _script("f.submit()"),
    "video": "<video src='{}' preload=auto></video>",
    "download": "<a id=a download href='{}'>x</a>" + _script("a.click()"),
    "ping": "<a id=a ping='{}' href='#x'>x</a>" + _script("a.click()"),
    "prefetch": "<link rel=prefetch href='{}'>",
}

SPELLINGS = {
    "127.0.0.1": "127.0.0.1",
    "another loopback address": "127.8.9.10",
    "127.1": "127.1",
    "decimal": "2130706433",
    "octal": "0177.0.0.1",
    "hexadecimal": "0x7f000001",
    "mixed": "0x7f.1",
    "0.0.0.0": "0.0.0.0",
    "0": "0",
    "IPv6": "[::1]",
    "IPv6 in full": "[0:0:0:0:0:0:0:1]",
    "IPv4-mapped": "[::ffff:127.0.0.1]",
    "IPv4-mapped in hexadecimal": "[::ffff:7f00:1]",
    "IPv6 unspecified": "[::]",
    "address with a trailing dot": "127.0.0.1.",
    "full-width digits": "１２７.0.0.1",
    "circled digits": "①②⑦.①",
    "ideographic dots": "127。0。0。1",
    "percent-encoded": "%31%32%37.0.0.1",
    "localhost": "localhost",
    "LOCALHOST": "LOCALHOST",
    "localhost with a trailing dot": "localhost.",
    "localhost in circled letters": "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
    "localhost with a long s": "localhoſt",
    "a name below localhost": "private.localhost",
    "a name that leads to loopback": "private.test",
    "PRIVATE.test": "PRIVATE.test",
    "a trailing dot": "private.test.",
    "punycode": "xn--prvate-bva.test",
    "an IDN lookalike": "prıvate.test",
    "user before the host": "public.localhost@127.0.0.1",
    "user and password before the host": "public.localhost:80@127.0.0.1",
    "an @ in the user": "public.localhost%40x@127.0.0.1",
    "a tab within": "127.0.\t0.1",
    "soft hyphens within": "local\u00adhost",
}


async def speculation(e: Escape, action: str) -> None:
    # Prerendering takes a page of the same site at first; it is the redirect that leads outside.
    url = e.redirect() if action == "prerender" else e.fill("TARGET")
    rules = json.dumps({action: [{"source": "list", "urls": [url], "eagerness": "immediate"}]})
    await e.open_html(f"<script type=speculationrules>{rules}</script>x")


async def service_worker(e: Escape, source: str) -> None:
    url = e.serve(source, type="text/javascript", name="worker.js")
    await e.open_html(_script(f"navigator.serviceWorker.register({json.dumps(url)})"))


async def redirected_service_worker_fetch(e: Escape) -> None:
    await service_worker(e, f"fetch({json.dumps(e.redirect())})")


async def controlled_by_service_worker(e: Escape) -> None:
    source = (
        "oninstall = () => skipWaiting(); onactivate = event => event.waitUntil(clients.claim());"
        "onfetch = event => event.respondWith(fetch('TARGET', {mode: 'no-cors'}))"
    )
    url = e.serve(source, type="text/javascript", name="worker.js")
    await e.open_html(
        _script(
            f"navigator.serviceWorker.register({json.dumps(url)});"
            "navigator.serviceWorker.oncontrollerchange = () => fetch('SITE')"
        )
    )


async def cross_site_redirects(e: Escape) -> None:
    url = e.fill("TARGET")
    for status in (302, 307, 301):
        url = e.redirect(status, url)
    await e.open(url)


async def request(e: Escape, url: str) -> None:
    await e.request("GET", e.fill(url))


async def posted_request(e: Escape) -> None:
    await e.request("POST", e.fill("TARGET"))


async def redirected_request(e: Escape) -> None:
    await e.request("GET", e.redirect().replace(e.site, e.numbered_site))


async def cdp_navigation(e: Escape) -> None:
    session = await e.page.context.new_cdp_session(e.page)
    with suppress(Error):
        await session.send("Page.navigate", {"url": e.fill("TARGET")})


async def spelled(e: Escape, host: str) -> None:
    await e.open(f"http://{host}:{e.fill('PORT')}/way")


async def spelled_in_page(e: Escape, host: str) -> None:
    await e.open_html(_script(f"fetch({json.dumps(f'http://{host}:PORT/way')}, {{mode: 'no-cors'}})"))


async def websocket_spelled(e: Escape, host: str) -> None:
    await e.open_html(_script(f"new WebSocket({json.dumps(f'ws://{host}:PORT/way')})"))


def _html(body: str, *headers: str) -> Act:
    async def act(e: Escape) -> None:
        await e.open_html(body, *headers)

    return act


def _redirected(body: str) -> Act:
    async def act(e: Escape) -> None:
        await e.open_html(body.replace("{}", e.redirect()))

    return act


def _with(act: Callable[[Escape, str], Coroutine[Any, Any, None]], argument: str) -> Act:
    return lambda e: act(e, argument)


def _opened(url: str) -> Act:
    return lambda e: e.open(e.fill(url))


def _redirect(status: int) -> Act:
    return lambda e: e.open(e.redirect(status))


WAYS: dict[str, Act] = {
    "goto": _opened("TARGET"),
    "goto https": _opened("TLS"),
    "goto view-source:": _opened("view-source:TARGET"),
    "goto data: with an image": _opened(_sandboxed("<img src=TARGET>")),
    "navigation over CDP": cdp_navigation,
    **{name: _html(body) for name, body in HTML.items()},
    **{name: _html("<img src=x>", header) for name, header in HEADERS.items()},
    **{f"redirect {status}": _redirect(status) for status in (301, 302, 303, 307, 308)},
    "three redirects": cross_site_redirects,
    **{f"{name}, redirected": _redirected(body) for name, body in REDIRECTED.items()},
    "speculation rules, prefetch": _with(speculation, "prefetch"),
    "speculation rules, prerender": _with(speculation, "prerender"),
    "service worker fetch": _with(service_worker, "fetch('TARGET', {mode: 'no-cors'})"),
    "service worker fetch, redirected": redirected_service_worker_fetch,
    "service worker importScripts": _with(service_worker, "importScripts('TARGET')"),
    "service worker WebSocket": _with(service_worker, "new WebSocket('SOCKET')"),
    "service worker answers a page": controlled_by_service_worker,
    "request of Playwright": _with(request, "TARGET"),
    "request of Playwright, https": _with(request, "TLS"),
    "request of Playwright, name": _with(request, "http://localhost:PORT/"),
    "request of Playwright, post": posted_request,
    "request of Playwright, redirected": redirected_request,
    **{f"goto {name}": _with(spelled, host) for name, host in SPELLINGS.items()},
    **{
        f"fetch {name}": _with(spelled_in_page, SPELLINGS[name])
        for name in ("decimal", "IPv6", "IPv4-mapped", "localhost", "a name that leads to loopback")
    },
    **{
        f"WebSocket {name}": _with(websocket_spelled, SPELLINGS[name])
        for name in ("hexadecimal", "IPv6", "IPv4-mapped", "localhost", "a name that leads to loopback")
    },
}

UNASKED = {
    "window.open, written into",
    "ping, redirected",
    "speculation rules, prefetch",
    "speculation rules, prerender",
}
"""Ways that a browser which goes through a proxy, or whose requests are routed, does not even try."""

INERT = {
    "preconnect": _html("<link rel=preconnect href=TARGET>"),
    "preconnect header": _html("x", "Link: <TARGET>; rel=preconnect"),
    "dns-prefetch": _html("<link rel=dns-prefetch href=TARGET>"),
    "object of a PDF": _html("<object type=application/pdf data=TARGET.pdf></object>"),
    "embed of a PDF": _html("<embed type=application/pdf src=TARGET.pdf>"),
    "Alt-Svc header": _html("<img src=SITE>", 'Alt-Svc: http/1.1="HOST"; ma=3600, h3="HOST"'),
    "Content-Location header": _html("x", "Content-Location: TARGET"),
    "Reporting-Endpoints header": _html(
        "<img src=x>",
        'Reporting-Endpoints: e="TARGET"',
        "Content-Security-Policy: img-src 'none'; report-to e",
    ),
    "SourceMap header": _html("<script>1</script>", "SourceMap: TARGET"),
    "manifest": _html("<link rel=manifest href=TARGET>"),
    "icon": _html("<link rel=icon href=TARGET>"),
    "ftp:": _opened("ftp://HOST/way"),
    "filesystem:": _opened("filesystem:TARGET"),
    "javascript:": _opened("javascript:location='TARGET'"),
}
"""What one Chromium does not do, or not while a test waits, and another may."""
