# page.sh: pages of reports in Chromium: sourced, behind lib.sh, by the tests that open some.
#
#   need_browser           $browser, or the test is skipped
#   look SCHEME SIZE ...   what Chromium does with a page; 0 is dark, 1 light
#   page_small NAME        NAME.html is small and asks for nothing
#   page_shows NAME        and opened in light, and in dark on a narrow screen, it shows what
#                          NAME.json says

need_browser() {
    browser=$(command -v chromium || command -v chromium-browser) ||
        skip "no chromium to open the page"
}

look() {
    scheme=$1 size=$2
    shift 2
    timeout 120 "$browser" --headless --no-sandbox --disable-gpu --hide-scrollbars \
        --user-data-dir="$scratch/profile" --blink-settings=preferredColorScheme="$scheme" \
        --window-size="$size" "$@" 2>browser.log
}

page_small() {
    [ "$(wc -c <"$1.html")" -le 3145728 ] || fail "$1: the page has $(wc -c <"$1.html") bytes"
    for foreign in 'src=' '@import' 'fetch(' 'XMLHttpRequest' 'url(http'; do
        ! grep -q -F "$foreign" "$1.html" || fail "the page has $foreign"
    done
}

page_shows() {
    page_small "$1"
    python3 - "$1" "$QUIRE_SOURCE/tests/run/page.js" <<'END'
import sys
name, probe = sys.argv[1:]
page, script = open(name + ".html").read(), open(probe).read()
assert page.count("</body>") == 1
asked = page.replace("</body>", "<script>\n" + script + "</script></body>")
open(name + ".asked.html", "w").write(asked)
END
    look 1 1440,1000 --dump-dom "file://$scratch/$1.asked.html" >"$1.dom.light" ||
        skip "chromium does not start: $(tail -n 1 browser.log)"
    look 0 500,900 --dump-dom "file://$scratch/$1.asked.html" >"$1.dom.dark" ||
        fail "$(cat browser.log)"
    for scheme in light dark; do
        python3 "$QUIRE_SOURCE/tests/run/page.py" "$1" $scheme ||
            fail "$1: the page does not show the run ($scheme)"
    done
}
