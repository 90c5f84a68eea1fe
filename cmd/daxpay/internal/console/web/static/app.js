// Theme, copying, hints, live lists, clock. Everything works without it but is less comfortable.
(function () {
  "use strict";
  var root = document.documentElement;
  function stored(key) { try { return localStorage.getItem(key); } catch (e) { return null; } }
  function store(key, value) { try { localStorage.setItem(key, value); } catch (e) { /* private mode */ } }
  var theme = stored("theme"); // before the first paint
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  function isDark() { return root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches; }
  function each(sel, fn, within) { (within || document).querySelectorAll(sel).forEach(fn); }
  function say(text) {
    var t = document.querySelector(".toast");
    if (!t) return;
    t.textContent = text;
    clearTimeout(say.timer);
    say.timer = setTimeout(function () { t.textContent = ""; }, 2600);
  }
  function copy(b) {
    var from = b.dataset.from && document.getElementById(b.dataset.from);
    var text = from ? from.dataset.raw || from.textContent : b.dataset.copy;
    var done = function () {
      b.classList.add("done");
      say(document.body.dataset.copied);
      setTimeout(function () { b.classList.remove("done"); }, 1200);
    };
    if (navigator.clipboard) { navigator.clipboard.writeText(text).then(done, function () {}); return; }
    var area = document.createElement("textarea"); // a page by plain HTTP in the network has no clipboard
    area.value = text;
    document.body.appendChild(area);
    area.select();
    if (document.execCommand("copy")) done();
    area.remove();
  }

  document.addEventListener("DOMContentLoaded", function () {
    var toast = document.querySelector(".toast");
    if (toast && toast.textContent) {
      say(toast.textContent);
      var clean = new URL(location.href);
      clean.searchParams.delete("said");
      history.replaceState(null, "", clean);
    }

    document.addEventListener("click", function (e) {
      var b = e.target.closest("button, a, input, select, label, summary");
      if (b && b.matches("[data-copy], [data-from]")) { e.preventDefault(); copy(b); return; }
      if (b && b.matches("[data-do=theme]")) { root.dataset.theme = isDark() ? "light" : "dark"; store("theme", root.dataset.theme); return; }
      if (b && b.matches("[data-do=all]")) {
        var open = b.getAttribute("aria-expanded") !== "true";
        b.setAttribute("aria-expanded", String(open));
        each(".tl details", function (d) { d.open = open; });
        return;
      }
      if (b && b.matches("[data-do=live]")) { pause(b); return; }
      if (b && b.getAttribute("aria-disabled") === "true") { e.preventDefault(); return; }
      if (b) return;
      var tr = e.target.closest("tr[data-href]"); // the link in the row serves the keyboard
      if (tr && !String(getSelection())) location.href = tr.dataset.href;
    });
    document.addEventListener("change", function (e) { if (e.target.matches("[data-submit]")) e.target.form.submit(); });
    document.addEventListener("keydown", function (e) {
      var q = document.getElementById("q");
      if (q && (e.ctrlKey || e.metaKey) && e.key.toLowerCase() === "k") { e.preventDefault(); q.focus(); q.select(); }
    });

    // What a button will do, in one line.
    var hint = document.querySelector("[data-hint-line]");
    function hintOf(e) {
      var b = e.target.closest && e.target.closest(".acts [aria-describedby]");
      var d = b && document.getElementById(b.getAttribute("aria-describedby"));
      if (d) hint.textContent = d.textContent;
    }
    if (hint) ["mouseover", "focusin", "click"].forEach(function (name) { document.addEventListener(name, hintOf); });

    clocks();
    if (document.body.dataset.live) listen(JSON.parse(document.body.dataset.live));
  });

  // The gateway's clock, which can be another time than here, or stand still.
  var shift = 0;
  function clocks() {
    var any = document.querySelector("[data-clock]");
    if (any) shift = Number(any.dataset.clock) - Date.now();
    clearInterval(clocks.timer);
    clocks.timer = setInterval(function () {
      each("[data-clock]:not([data-stopped])", function (el) {
        var iso = new Date(Date.now() + shift + 8 * 3600e3).toISOString(); // Asia/Shanghai
        el.textContent = el.hasAttribute("data-long") ? iso.slice(0, 10) + " " + iso.slice(11, 19) : iso.slice(5, 10) + " " + iso.slice(11, 19);
      });
    }, 1000);
  }

  // Live pages: the server says that something has changed, and the lists are fetched anew.
  var paused = false, waiting = 0, busy = false, again = false;
  function pause(b) {
    paused = !paused;
    b.setAttribute("aria-pressed", String(paused));
    var word = b.querySelector("[data-on]");
    word.textContent = paused ? word.dataset.off : word.dataset.on;
    if (!paused) refresh();
    held();
  }
  function held() {
    each(".held", function (el) { el.hidden = !paused || !waiting; el.textContent = "+" + waiting; });
    if (!paused) waiting = 0;
  }
  // A browser has six connections to a server for all of its tabs: a hidden page gives its own back.
  function listen(topics) {
    var source = null, query = topics.map(function (t) { return "topic=" + encodeURIComponent(t); }).join("&");
    function open() {
      if (source || document.hidden) return;
      source = new EventSource("/_console/events?" + query);
      // What changed after the page was rendered has not been reported.
      source.onopen = function () { if (!paused) refresh(); };
      source.onmessage = function () {
        if (paused) { waiting++; held(); return; }
        refresh();
      };
      // It reconnects automatically, but not after a refusal: too many pages are open.
      source.onerror = function () { if (source.readyState === EventSource.CLOSED) { source = null; setTimeout(open, 5000); } };
    }
    document.addEventListener("visibilitychange", function () {
      if (!document.hidden) { open(); return; }
      if (source) { source.close(); source = null; }
    });
    open();
  }
  function refresh() {
    if (busy) { again = true; return; }
    busy = true;
    fetch(location.href, { headers: { Accept: "text/html" } }).then(function (r) { return r.text(); }).then(function (html) {
      var fresh = new DOMParser().parseFromString(html, "text/html");
      each("[data-live-list]", function (list) {
        var other = fresh.querySelector('[data-live-list="' + list.dataset.liveList + '"]');
        if (other) merge(list, other);
      });
      each("[data-live-html], [data-live-text]", function (el) {
        var name = el.dataset.liveHtml ? "live-html" : "live-text";
        var other = fresh.querySelector("[data-" + name + '="' + (el.dataset.liveHtml || el.dataset.liveText) + '"]');
        if (!other || el.contains(document.activeElement) || other.innerHTML === el.innerHTML && other.hidden === el.hidden) return;
        el.hidden = other.hidden;
        el.replaceChildren.apply(el, Array.prototype.map.call(other.childNodes, function (n) { return document.importNode(n, true); }));
      });
    }).catch(function () {}).then(function () {
      busy = false;
      if (again) { again = false; setTimeout(refresh, 500); }
    });
  }
  // Rows keep their place, their focus and what is open in them.
  function merge(list, other) {
    var old = new Map(), first = !list.children.length, before = null;
    Array.prototype.forEach.call(list.children, function (row) { old.set(row.dataset.key, row); });
    Array.prototype.forEach.call(other.children, function (row) {
      var mine = old.get(row.dataset.key), next = before ? before.nextElementSibling : list.firstElementChild;
      old.delete(row.dataset.key);
      if (!mine) {
        mine = document.importNode(row, true);
        if (!first) mine.classList.add("new");
        list.insertBefore(mine, next);
      } else if (!mine.contains(document.activeElement)) {
        var details = mine.querySelector("details"), fresh = row.querySelector("details");
        if (details && fresh) fresh.open = details.open;
        if (mine.innerHTML !== row.innerHTML) mine.innerHTML = row.innerHTML;
        if (mine !== next) list.insertBefore(mine, next);
      }
      before = mine;
    });
    old.forEach(function (row) { row.remove(); });
  }
})();
