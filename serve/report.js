"use strict";
(() => {
  const PAGE = 50;
  const byId = (id) => document.getElementById(id);
  const letters = JSON.parse(byId("letters").textContent);
  const criteria = JSON.parse(byId("criteria").textContent);
  const meanings = byId("meanings").dataset;
  const items = [];
  letters.forEach((letter, at) => letter.items.forEach((item, n) => items.push(indexed(letter, item, at, n))));
  const decided = items.some((entry) => entry.item.decision);
  [...items].sort((a, b) => b.item.p - a.item.p).forEach((entry, at, ranked) => {
    entry.rank = at && ranked[at - 1].item.p === entry.item.p ? ranked[at - 1].rank : at + 1;
  });
  const state = { page: 0, shown: items };

  function indexed(letter, item, at, n) {
    const guideline = item.guidelines.length ? item.guidelines[0][0] : "";
    const text = [item.requested, item.category, item.subcategory, letter.letter_id, letter.source, guideline];
    return { letter, item, at, n, guideline, text: text.join(" ").toLowerCase() };
  }

  function kindOf(item) {
    return [...new Set([item.category, item.subcategory])].filter(Boolean).join(" · ") || "not classified";
  }

  // Elements are made with text nodes only: nothing of a letter is ever read as markup.
  function el(tag, attributes, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === true) node.setAttribute(name, "");
      else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
    }
    node.append(...children.filter((child) => child !== null && child !== undefined));
    return node;
  }
  const percent = (p) => `${(100 * p).toFixed(p < 0.0995 ? 1 : 0)}%`;

  function gauge(item, large) {
    const rail = el("span", { class: "rail", "aria-hidden": "true" });
    const span = el("span", { class: "span" });
    span.style.left = `${100 * item.p_low}%`;
    span.style.width = `${Math.max(1, 100 * (item.p_high - item.p_low))}%`;
    const dot = el("span", { class: "dot" });
    dot.style.left = `${100 * item.p}%`;
    rail.append(span, dot);
    const said = el("span", { class: "hidden" }, `, interval ${percent(item.p_low)} to ${percent(item.p_high)}`);
    return el("div", { class: large ? "gauge large" : "gauge" }, el("b", {}, percent(item.p)), rail, said);
  }

  // --- the table ---
  const keys = {
    order: (e) => e.at * 10000 + e.n, p: (e) => e.item.p, width: (e) => e.item.p_high - e.item.p_low,
    requested: (e) => e.item.requested.toLowerCase(), category: (e) => `${e.item.category || "~"} ${e.item.subcategory || ""}`,
    letter: (e) => e.letter.letter_id, guideline: (e) => e.guideline, decision: (e) => e.item.decision || "~",
  };

  function filtered() {
    const words = byId("f-text").value.toLowerCase().split(/\s+/).filter(Boolean);
    const category = byId("f-category").value, outcome = byId("f-outcome").value, decision = byId("f-decision").value;
    return items.filter((e) => words.every((word) => e.text.includes(word))
      && (!category || (e.item.category || "not classified") === category)
      && (!outcome || e.item.predicted_outcome === outcome)
      && (!decision || e.item.decision === decision));
  }

  function sorted(entries) {
    const chosen = byId("f-sort").value;
    const down = chosen.endsWith("-");
    const key = keys[chosen.replace(/[+-]$/, "")];
    const order = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
    return entries.map((entry) => [key(entry), entry])
      .sort((a, b) => (down ? order(b[0], a[0]) : order(a[0], b[0])) || keys.order(a[1]) - keys.order(b[1]))
      .map((pair) => pair[1]);
  }

  function refresh() {
    state.shown = sorted(filtered());
    state.page = 0;
    draw();
  }

  function draw() {
    const pages = Math.max(1, Math.ceil(state.shown.length / PAGE));
    const from = state.page * PAGE;
    byId("rows").replaceChildren(...state.shown.slice(from, from + PAGE).map(row));
    byId("found").textContent = `${state.shown.length.toLocaleString("en")} of ${items.length.toLocaleString("en")} items`;
    byId("page").textContent = `Page ${state.page + 1} of ${pages}`;
    byId("previous").disabled = state.page === 0;
    byId("next").disabled = state.page >= pages - 1;
    markSort();
  }

  function markSort() {
    const chosen = byId("f-sort").value;
    document.querySelectorAll("#table th").forEach((head) => {
      const on = chosen.replace(/[+-]$/, "") === head.dataset.key;
      if (on) head.setAttribute("aria-sort", chosen.endsWith("-") ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
  }

  function row(entry) {
    const item = entry.item;
    const link = el("a", { href: `#letter/${entry.at}/${entry.n}` }, item.requested);
    const kind = kindOf(item);
    return el("tr", {},
      el("td", { class: "letter", "data-label": "Letter" }, entry.letter.letter_id),
      el("td", { class: "request" }, link),
      el("td", { "data-label": "Category" }, kind),
      el("td", { class: "estimate" }, gauge(item, false)),
      el("td", { "data-label": "Likely guideline" }, entry.guideline || "–"),
      el("td", { "data-label": "Decision", class: item.decision ? null : "undecided", hidden: !decided }, item.decision || "–"));
  }

  function sortBy(key) {
    const select = byId("f-sort");
    const wanted = select.value === `${key}+` ? `${key}-` : `${key}+`;
    if (![...select.options].some((option) => option.value === wanted)) {
      select.append(el("option", { value: wanted }, `${key[0].toUpperCase()}${key.slice(1)} ${wanted.endsWith("-") ? "(reverse)" : ""}`));
    }
    select.value = wanted;
    refresh();
  }

  // --- one letter ---
  const signs = { "met": "✓", "not met": "✗", "not documented": "○" };
  const facts = { case_number: "Case", date_of_injury: "Injured", ur_denial_date: "Denied", application_received: "Application", priority: "Priority" };

  function openLetter(at, n) {
    if (!letters[at]) return show("items");
    byId("view-letter").replaceChildren(bar(at), sheet(at, jump(at)));
    show("letter");
    const target = n > 0 ? byId(`item-${n}`) : null;
    if (target) target.scrollIntoView(); else window.scrollTo(0, 0);
    byId("letter-title").focus({ preventScroll: true });
  }

  // What is printed of a letter; on paper its first line stands on every page.
  function sheet(at, contents) {
    const letter = letters[at];
    const marks = spansOf(letter);
    const ranks = items.filter((entry) => entry.at === at).map((entry) => entry.rank);
    const named = [letter.header.case_number ? `Case ${letter.header.case_number}` : null, `Letter ${letter.letter_id}`];
    return el("div", { class: "sheet" }, el("p", { class: "running", "aria-hidden": "true" }, named.filter(Boolean).join(" · ")),
      el("div", { class: "body" }, heading(letter), contents, el("div", { class: "spread" },
        el("div", {}, ...letter.items.map((item, index) => card(item, index, letter, ranks[index])),
          el("p", { class: "small" }, meanings.interval)), summary(letter, marks))));
  }

  // A letter of many items is long: each is one click away, and so is the summary below them.
  function jump(at) {
    const list = letters[at].items;
    if (list.length < 2) return null;
    const line = (item, n) => el("li", {}, el("a", { href: `#letter/${at}/${n}` }, item.requested), ` ${percent(item.p)}`);
    const down = button("To the case summary", () => byId("summary").scrollIntoView(), false);
    down.className = "action";
    return el("nav", { class: "jump screen", "aria-label": "Items of this letter" }, `${list.length} items`, el("ol", {}, ...list.map(line)), down);
  }

  // Every letter on pages of its own; names within a letter would be those of all.
  function openAll() {
    const sheets = letters.map((_, at) => sheet(at, null));
    for (const one of sheets) {
      one.querySelectorAll("[id], [aria-labelledby]").forEach((node) => { node.removeAttribute("id"); node.removeAttribute("aria-labelledby"); });
    }
    byId("view-letter").replaceChildren(el("div", { class: "back" }, button("← All items", () => { location.hash = "#items"; }, false),
      button("Print", () => window.print(), false)), ...sheets);
    show("letter");
    window.scrollTo(0, 0);
  }

  function button(text, go, off) {
    const node = el("button", { type: "button", disabled: off }, text);
    node.addEventListener("click", go);
    return node;
  }

  function bar(at) {
    return el("div", { class: "back" },
      button("← All items", () => { location.hash = "#items"; }, false),
      button("Previous letter", () => { location.hash = `#letter/${at - 1}/0`; }, at === 0),
      button("Next letter", () => { location.hash = `#letter/${at + 1}/0`; }, at === letters.length - 1),
      button("Print", () => window.print(), false));
  }

  function heading(letter) {
    const list = el("dl", { class: "facts" }, ...Object.entries(facts)
      .filter(([key]) => letter.header[key])
      .map(([key, name]) => el("div", {}, el("dt", {}, name), el("dd", {}, letter.header[key]))),
      el("div", {}, el("dt", {}, "Source"), el("dd", {}, letter.source)));
    const warnings = letter.warnings.map((text) => el("p", { class: "note" }, text));
    return el("div", {}, el("h1", { id: "letter-title", tabindex: "-1" }, `Letter ${letter.letter_id}`), urgent(letter), list, ...warnings);
  }

  function urgent(letter) {
    if (!letter.urgent.length) return null;
    return el("section", { class: "urgent", role: "alert", "aria-label": "Urgent" }, el("p", {}, el("b", {}, meanings.urgent)),
      el("ul", { class: "reasons" }, ...letter.urgent.map(([text, quotes]) => oneReason({ text, quotes }, letter))));
  }

  function card(item, index, letter, rank) {
    const action = item.ur_action ? `${item.ur_action} by utilization review` : "asked for";
    const chips = el("p", {}, el("span", { class: "chip strong" }, `predicted ${item.predicted_outcome}`),
      item.decision ? el("span", { class: "chip" }, `decided ${item.decision}`) : null,
      el("span", { class: "chip" }, kindOf(item)),
      el("span", { class: "chip" }, action));
    const range = `${percent(item.p_low)} – ${percent(item.p_high)}`;
    return el("article", { class: "card", id: `item-${index}`, "aria-labelledby": `item-title-${index}` },
      el("h2", { id: `item-title-${index}` }, item.requested), chips, request(item),
      el("h3", {}, "Estimated probability of an overturn"), gauge(item, true),
      el("p", { class: "scale", "aria-hidden": "true", title: meanings.interval }, el("span", {}, "0%"), el("span", {}, `interval ${range}`), el("span", {}, "100%")),
      el("p", {}, `${item.meaning}. `, el("span", { class: "rank" }, items.length > 1 ? `Rank ${rank.toLocaleString("en")} of ${items.length.toLocaleString("en")} items in this file.` : "")),
      similar(item), whatIf(item), reasons(item, letter), checklist(item, letter), guidelines(item));
  }

  function request(item) {
    const lines = [["Original request", item.original_request], ["Authorized", item.authorized],
      ["Cited by the claims administrator", item.claims_administrator_guideline]].filter(([, text]) => text);
    return lines.length ? el("div", {}, ...lines.map(([name, text]) => el("p", { class: "small" }, `${name}: ${text}`))) : null;
  }

  function similar(item) {
    return item.similar ? el("p", { class: "small" }, item.similar) : null;
  }

  // Each change opens to the sentences that were added when the case was read anew.
  function whatIf(item) {
    if (!item.what_if.length) return null;
    const one = (change) => {
      const head = [el("span", {}, change.do), el("b", {}, change.gives)];
      if (!change.added.length) return el("li", { class: "change" }, el("p", {}, ...head));
      return el("li", { class: "change" }, el("details", {}, el("summary", {}, ...head),
        el("p", { class: "small" }, "The case was read anew with:"), ...change.added.map((sentence) => el("p", { class: "small added" }, `“${sentence}”`))));
    };
    return el("div", { class: "what-if" }, el("h3", {}, "What would change it"), el("ul", { class: "reasons" }, ...item.what_if.map(one)),
      el("p", { class: "small" }, meanings.whatIf));
  }

  function reasons(item, letter) {
    if (!item.reasons.length) return null;
    const side = (direction, title) => {
      const list = item.reasons.filter((reason) => reason.direction === direction);
      const body = list.length ? el("ul", { class: "reasons" }, ...list.map((reason) => oneReason(reason, letter)))
        : el("p", { class: "small" }, "None found.");
      return el("div", {}, el("h3", { class: direction }, title), body);
    };
    return el("div", { class: "both" }, side("for", "Speaks for an overturn"), side("against", "Speaks against"));
  }

  function oneReason(reason, letter) {
    return el("li", {}, reason.text, ...reason.quotes.map((quote) => quoted(quote, letter)));
  }

  // A quote is a span of the case summary, a text of its own (from the request) or a computation.
  function quoted(quote, letter) {
    if (quote.computed) return el("span", { class: "quote" }, "Computed: ", quote.computed);
    if (typeof quote === "string") return el("span", { class: "quote" }, "“", el("mark", {}, quote), "” (the request)");
    const [start, end] = quote;
    const text = letter.case_summary;
    const [from, to, before, after] = around(text, start, end);
    const button = el("button", { type: "button", class: "quote", title: "Show in the case summary" },
      `“${before}`, text.slice(from, start), el("mark", {}, text.slice(start, end)), text.slice(end, to), `${after}”`);
    button.addEventListener("click", () => flash(start, end, button));
    return button;
  }

  // Up to 70 characters each way, within the sentence, cut between words.
  function around(text, start, end) {
    const sentence = text.lastIndexOf(". ", start - 1);
    let from = sentence < 0 || start === 0 ? 0 : sentence + 2;
    let before = "";
    if (start - from > 70) {
      from = Math.min(start, text.indexOf(" ", start - 70) + 1);
      before = "… ";
    }
    const stop = text.indexOf(". ", Math.max(0, end - 1));
    let to = stop < 0 ? text.length : Math.max(end, stop + 1);
    let after = "";
    if (to - end > 70) {
      to = Math.max(end, text.lastIndexOf(" ", end + 70));
      after = " …";
    }
    return [from, to, before, after];
  }

  function flash(start, end, origin) {
    const mark = [...document.querySelectorAll("#summary mark[data-start]")]
      .find((node) => Number(node.dataset.start) <= start && Number(node.dataset.end) >= end);
    if (!mark) return;
    document.querySelectorAll("mark.flash").forEach((node) => node.classList.remove("flash"));
    mark.classList.add("flash");
    mark.scrollIntoView({ block: "center" });
    mark.focus({ preventScroll: true });
    offerReturn(origin);
  }

  function offerReturn(origin) {
    document.querySelectorAll(".return").forEach((node) => node.remove());
    const button = el("button", { type: "button", class: "return" }, "Back to the reason");
    button.addEventListener("click", () => {
      button.remove();
      origin.scrollIntoView({ block: "center" });
      origin.focus({ preventScroll: true });
    });
    byId("view-letter").append(button);
  }

  function checklist(item, letter) {
    if (!item.checklist.length) return el("p", { class: "small" }, "Documentation checklist: no criteria for this kind of request.");
    const lines = item.checklist.map(([id, status, quotes]) => {
      const criterion = criteria[id];
      return el("li", { class: status.replace(" ", "-") },
        el("span", { class: "sign", "aria-hidden": "true" }, signs[status]),
        el("div", {}, el("span", { class: "state" }, status), ` · ${criterion.text}`,
          ...quotes.map((quote) => quoted(quote, letter)),
          el("div", { class: "small" }, [criterion.guideline, criterion.source].filter(Boolean).join(" · "))));
    });
    return el("div", {}, el("h3", {}, "Documentation checklist"), el("ul", { class: "checks" }, ...lines));
  }

  function guidelines(item) {
    if (!item.guidelines.length) return null;
    return el("div", {}, el("h3", {}, "Guideline the reviewer may cite"),
      el("ol", { class: "guides" }, ...item.guidelines.map(([name, p]) => el("li", {}, el("b", {}, percent(p)), name))),
      item.decision_guideline ? el("p", { class: "small" }, `Cited by the reviewer: ${item.decision_guideline}`) : null);
  }

  function spansOf(letter) {
    const spans = [];
    const add = (quotes, kind) => quotes.forEach((q) => { if (Array.isArray(q)) spans.push({ start: q[0], end: q[1], kind }); });
    letter.urgent.forEach(([, quotes]) => add(quotes, "urgent"));
    letter.items.forEach((item) => {
      item.reasons.forEach((reason) => add(reason.quotes, reason.direction));
      item.checklist.forEach(([, , quotes]) => add(quotes, "neutral"));
    });
    return merged(spans.sort((a, b) => a.start - b.start || b.end - a.end));
  }

  function merged(spans) {
    const out = [];
    for (const span of spans) {
      const last = out[out.length - 1];
      if (!last || span.start >= last.end) { out.push({ ...span }); continue; }
      last.end = Math.max(last.end, span.end);
      if (last.kind === "urgent" || span.kind === "urgent") last.kind = "urgent";
      else if (last.kind === "neutral") last.kind = span.kind;
      else if (span.kind !== "neutral" && span.kind !== last.kind) last.kind = "both";
    }
    return out;
  }

  function summary(letter, marks) {
    const text = letter.case_summary;
    const parts = [];
    let at = 0;
    for (const mark of marks) {
      parts.push(text.slice(at, mark.start), el("mark", { class: mark.kind, tabindex: "-1", "data-start": mark.start, "data-end": mark.end }, text.slice(mark.start, mark.end)));
      at = mark.end;
    }
    parts.push(text.slice(at));
    return el("section", { class: "summary", id: "summary", "aria-labelledby": "h-summary", tabindex: "0" },
      el("h2", { id: "h-summary" }, "Case summary"), legend(marks), el("p", { class: "text" }, ...parts));
  }

  function legend(marks) {
    const names = { for: "speaks for", against: "speaks against", both: "for one, against another item", neutral: "bears on a criterion", urgent: "for a physician today" };
    const kinds = [...new Set(marks.map((mark) => mark.kind))];
    if (!kinds.length) return null;
    return el("p", { class: "legend" }, ...kinds.flatMap((kind) => [el("mark", { class: kind }, names[kind] || kind), "  "]));
  }

  // --- views ---
  function show(view) {
    document.querySelectorAll("[data-section]").forEach((node) => { node.hidden = node.dataset.section !== view; });
    document.querySelectorAll("[data-view]").forEach((node) => {
      const on = node.dataset.view === view || (view === "letter" && node.dataset.view === "items");
      if (on) node.setAttribute("aria-current", "page"); else node.removeAttribute("aria-current");
    });
  }

  function route() {
    const [view, at, n] = location.hash.slice(1).split("/");
    if (view === "letter") return openLetter(Number(at), Number(n || 0));
    if (view === "all") return openAll();
    if (view === "main") return byId("main").focus();
    if (!view && document.body.dataset.alone) return openLetter(0, 0);
    show(view === "items" ? "items" : "overview");
    window.scrollTo(0, 0);
  }

  [...new Set(items.map((e) => e.item.category || "not classified"))].sort()
    .forEach((name) => byId("f-category").append(el("option", {}, name)));
  byId("l-decision").hidden = !decided;
  document.querySelector("th.decided").hidden = !decided;
  byId("filters").addEventListener("input", refresh);
  byId("filters").addEventListener("change", refresh);
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("previous").addEventListener("click", () => { state.page -= 1; draw(); });
  byId("next").addEventListener("click", () => { state.page += 1; draw(); });
  document.querySelectorAll("#table th").forEach((head) => head.querySelector("button").addEventListener("click", () => sortBy(head.dataset.key)));
  window.addEventListener("hashchange", route);
  // On paper nothing can be opened by a click.
  const opened = [];
  window.addEventListener("beforeprint", () => document.querySelectorAll("details:not([open])").forEach((node) => { node.open = true; opened.push(node); }));
  window.addEventListener("afterprint", () => { while (opened.length) opened.pop().open = false; });
  refresh();
  route();
})();
