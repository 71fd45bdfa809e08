"""A site of the tests' own: forms and lists to act on, and pages that do what sites should not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from aiohttp import web

PLAYGROUND = """<title>Playground</title>
<button ondblclick="said('double')">Twice</button>
<button onmouseenter="said('hovered')">Hover</button>
<input aria-label="Letters" oninput="said(this.value + ' ' + (window.keys = (window.keys ?? 0) + 1))">
<label><input type="checkbox" onchange="said('checked ' + this.checked)">Agree</label>
<select aria-label="Colours" multiple size="3"
  onchange="said([...this.selectedOptions].map(o => o.value).join('+'))">
  <option>red</option><option>green</option><option>blue</option></select>
<select aria-label="Size" onchange="said(this.value)"><option>S</option><option>M</option></select>
<input type="file" aria-label="Attachment" onchange="told(this)">
<button onclick="picker.click()">Choose a file</button>
<input type="file" id="picker" style="display:none" onchange="told(this)">
<div role="button" aria-label="Card" draggable="true" ondragstart="event.dataTransfer.setData('text', 'x')">
  Card</div>
<div role="button" aria-label="Pile" ondragover="event.preventDefault()" ondrop="said('dropped')">Pile</div>
<div id="box" style="height:60px;overflow:auto"
  onscroll="said('scrolled ' + (this.scrollTop > 500))"><button>In the box</button>
  <div style="height:900px"></div><p>the box's end</p></div>
<button onclick="setTimeout(() => said('later'), 300)">Later</button>
<button onclick="setTimeout(() => soon.remove(), 300)">Remove</button><p id="soon">going soon</p>
<button onclick="void 0">Nothing</button>
<button onclick="for (let i = 0; i < 9; i++) history.pushState(0, '', '?' + i); said('moved')">Push</button>
<a href="/table?from=link">The table</a><a href="/opened" target="_blank">Another tab</a>
<p id="out"></p>
<script>
  const said = text => { out.textContent = 'said: ' + text };
  const told = async field => {
    const file = field.files[0]; said(file.name + ' ' + file.type + ' ' + await file.text()) };
</script>"""

TABLE = """<title>Table</title><table><tr><th>Name</th><th>Price</th></tr><tr><td>Tea</td><td>$ 1</td></tr>
<tr><td>Cup <b>blue</b></td><td>$ 2</td></tr></table><a href="other#part">Other</a> <a href="/">Home</a>"""

UNRULY = """<title>Unruly</title>
<button id="mover" style="position:absolute;top:200px">Mover</button>
<button onmouseenter="this.remove()">Detacher</button>
<button id="covered" style="position:absolute;top:260px">Covered</button>
<div class="cover" style="position:absolute;top:250px;width:300px;height:60px;background:#ccc">cover</div>
<button disabled>Disabled</button>
<input aria-label="Read only" readonly>
<div role="textbox" aria-label="No field" aria-readonly="false">div</div>
<button style="position:absolute;left:-5000px">Off</button>
<select aria-label="List"><option>one</option></select>
<button onclick="alert('one'); alert('two'); said.textContent = prompt('name?', 'Ann')">Ask</button>
<button onclick="for (let i = 0; i < 40; i++) alert(i); said.textContent = 'after the storm'">Storm</button>
<button onclick="for (;;) alert('again')">Endless alerts</button>
<button onclick="for (let i = 0; i < 50; i++) window.open('/opened?' + i)">Popups</button>
<button onclick="for (;;) {}">Spin</button>
<a href="/never">Never</a> <a href="/large">Large</a> <a href="/loop">Loop</a> <a href="/file">File</a>
<a href="http://10.1.2.3/">Private</a>
<button onclick="fetch('http://10.1.2.3/x').catch(() => 0)">Call</button>
<a href="/opened" target="_blank">New tab</a>
<p id="said"></p>
<script>
  let x = 0;
  const move = () => { mover.style.left = (x = (x + 9) % 500) + 'px'; requestAnimationFrame(move) };
  move();
</script>"""

ALERTS = "<title>Alerts</title><script>for (;;) alert('start')</script>"
POPUPS = """<title>Popups</title><script>
  onload = () => setTimeout(() => { for (let i = 0; i < 50; i++) window.open('/opened?' + i) })</script>"""
LEADS_ON = "<title>On</title><script>location = '/on?' + Math.random()</script>"
LARGE_BYTES = {"": 100_000_000, "chunked": 30_000_000}
"""Of the document that says how large it is, and of the one that does not."""


@asynccontextmanager
async def unruly_site() -> AsyncIterator[str]:
    """Serve the pages above; the base address, on 127.0.0.1."""
    closing = asyncio.Event()
    pages = {
        "/": PLAYGROUND,
        "/table": TABLE,
        "/unruly": UNRULY,
        "/alerts": ALERTS,
        "/popups": POPUPS,
        "/on": LEADS_ON,
        "/opened": "<title>Opened</title>the opened page",
    }

    async def page(request: web.Request) -> web.Response:
        return web.Response(text=pages[request.path], content_type="text/html")

    async def never(request: web.Request) -> web.Response:
        await closing.wait()
        return web.Response()

    async def unfinished(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/html"})
        await response.prepare(request)
        await response.write(b"<title>Unfinished</title><p>the first half</p>" + b" " * 2000)
        await closing.wait()
        return response

    async def large(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/html"})
        size = LARGE_BYTES[request.query_string]
        if not request.query_string:
            response.content_length = size
        await response.prepare(request)
        line = b"<p>" + b"x" * 99_997
        with suppress(ConnectionError):
            for _ in range(size // len(line)):
                await response.write(line)
        return response

    async def loop(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "/loop"})

    async def binary(request: web.Request) -> web.Response:
        return web.Response(body=bytes(range(256)) * 100, content_type="application/octet-stream")

    app = web.Application()
    for path in pages:
        app.router.add_get(path, page)
    app.router.add_get("/never", never)
    app.router.add_get("/unfinished", unfinished)
    app.router.add_get("/large", large)
    app.router.add_get("/loop", loop)
    app.router.add_get("/file", binary)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        closing.set()
        await runner.cleanup()
