"""browser.py: Chromium without a screen, driven through its own protocol over two pipes.

    page = Browser("chromium", profile_directory).page(url)
    page.value("document.title")          # of an expression, or of a promise, as JSON
    page.until("document.querySelector('#x') !== null")
    page.picture("seen.png")

Waits for conditions, never for a time: the host may be busy. Errors of the page's scripts are kept.
"""
import base64
import fcntl
import json
import os
import subprocess

LIMIT_S = 120


class BrowserError(Exception):
    pass


class Browser:
    def __init__(self, command, profile, width=1500, height=1000):
        to_read, self.to = os.pipe()
        self.back, to_write = os.pipe()
        theirs = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in (to_read, to_write)]
        os.close(to_read)
        os.close(to_write)

        def hand_over():  # it talks over descriptors 3 and 4
            os.dup2(theirs[0], 3)
            os.dup2(theirs[1], 4)

        self.log = open(profile + ".log", "wb")
        self.process = subprocess.Popen(
            [command, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe",
             f"--user-data-dir={profile}", f"--window-size={width},{height}", "about:blank"],
            preexec_fn=hand_over, pass_fds=[3, 4], stdin=subprocess.DEVNULL, stdout=self.log,
            stderr=self.log)
        for fd in theirs:
            os.close(fd)
        self.buffer, self.number, self.errors, self.requests = b"", 0, [], []

    def receive(self):
        while b"\0" not in self.buffer:
            piece = os.read(self.back, 1 << 20)
            if not piece:
                raise BrowserError("the browser has gone")
            self.buffer += piece
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, session=None, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise BrowserError(f"{method}: {answer['error']}")
                return answer["result"]
            if answer.get("method") == "Runtime.exceptionThrown":
                self.errors.append(answer["params"]["exceptionDetails"])
            if answer.get("method") == "Network.requestWillBeSent":
                self.requests.append(answer["params"]["request"]["url"])

    def page(self, url):
        return Page(self, url)

    def close(self):
        try:
            self.call("Browser.close")
        except (BrowserError, OSError):
            pass
        self.process.wait(LIMIT_S)
        self.log.close()


class Page:
    def __init__(self, browser, url):
        self.browser = browser
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = browser.call("Target.attachToTarget", targetId=target,
                                    flatten=True)["sessionId"]
        for domain in ("Runtime", "Network", "Page"):
            self.call(domain + ".enable")
        self.call("Page.navigate", url=url)

    def call(self, method, **parameters):
        return self.browser.call(method, self.session, **parameters)

    def value(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, awaitPromise=True,
                           returnByValue=True)
        if "exceptionDetails" in result:
            raise BrowserError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def until(self, condition):
        """The page is asked once; it answers when the condition holds, however long that takes."""
        self.value(f"""new Promise((resolve, reject) => {{
            const begin = performance.now();
            const look = () => ({condition}) ? resolve(true)
              : performance.now() - begin > {LIMIT_S * 1000} ? reject(Error("never came about"))
              : setTimeout(look, 20);
            look(); }})""")

    def key(self, key, text=""):
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key,
                      text=text if kind == "keyDown" else "")

    def size(self, width, height):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=False)

    def scheme(self, name):
        self.call("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": name}])

    def picture(self, path):
        data = self.call("Page.captureScreenshot", format="png")["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))
