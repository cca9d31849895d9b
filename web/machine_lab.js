/* machine_lab.js: a lab gone through on the page: what it says and asks, the lines that it has done,
 * its answers, explained. The server says all of it (docs/WEB.md); here it is only shown. */
"use strict";
const labWords = {
  en: {choose: "Choose a lab …", back: "Back", next: "Next", predict: "Predict", your: "Your prediction", number: "a number, as 132K",
       right: "Right:", not: said => "Not " + said + " but", none: "No prediction; it is", over: "The lab is over.",
       step: (a, b) => "step " + a + " of " + b, grade: g => g.right + " right, " + g.wrong + " wrong, " + g.unanswered + " without a prediction"},
  zh: {choose: "选择一个实验……", back: "上一步", next: "下一步", predict: "预测", your: "你的预测", number: "一个数，如 132K",
       right: "正确：", not: said => "不是 " + said + "，而是", none: "没有预测；答案是", over: "实验结束。",
       step: (a, b) => "第 " + a + " 步，共 " + b + " 步", grade: g => g.right + " 个正确，" + g.wrong + " 个错误，" + g.unanswered + " 个没有预测"},
};

/* change: does a request that changes the machine, draws the machine after it, gives its answer. */
function labsOnPage(change) {
  let labs = [], tour = null, language = "en";
  const words = () => labWords[language];
  const valueText = (question, value) => question && question.choices ? question.choices[value] : count(value);
  const wanted = parts => "lab?" + Object.entries(parts).map(([k, v]) => k + "=" + encodeURIComponent(v)).join("&");
  const ask = async parts => {
    const answer = await change(wanted(parts));
    if (answer) { tour = answer; language = tour.language; }
    show();
  };

  /* A question that waits for its prediction: choices, or a number. */
  function form(question) {
    const input = question.choices
      ? el("span", {role: "radiogroup", ariaLabel: words().your}, ...question.choices.map(choice =>
          el("label", {}, el("input", {type: "radio", name: "prediction", value: choice}), choice)))
      : el("input", {name: "prediction", className: "mono", placeholder: words().number, ariaLabel: words().your, spellcheck: false});
    return el("form", {className: "prediction", autocomplete: "off", onsubmit: event => {
      event.preventDefault();
      const value = new FormData(event.target).get("prediction");
      if (value) ask({question: question.name, value, n: 1});
    }}, input, el("button", {type: "submit"}, words().predict));
  }
  const choices = question => el("ul", {className: "choices"}, ...question.choices.map(choice => el("li", {}, choice)));
  function answer(event, question) {
    const mark = !event.answered ? "open" : event.right ? "right" : "not";
    const verdict = {open: words().none, right: words().right, not: words().not(valueText(question, event.given))}[mark];
    return el("div", {className: "answer " + mark}, el("p", {className: "verdict"}, verdict + " ", el("b", {}, valueText(question, event.value))),
      ...(event.explained ? [el("p", {className: "explained"}, event.explained)] : []), el("p", {}, event.text));
  }
  const asserted = event => event && event.event === "line" && event.text.startsWith("expect ");
  function nodes(event, question, before, after) {
    if (event.event === "lab") return [el("h3", {}, event.text)];
    if (event.event === "say") return [el("p", {}, event.text)];
    if (asserted(event)) return [el("p", {className: "fact"}, (after && after.ok ? "✓ " : "✗ ") + event.text.slice(7))];
    if (event.event === "line") return [el("pre", {className: "line"}, "> " + event.text)];
    if (event.event === "failed") return [el("p", {className: "failed"}, event.text)];
    if (event.event === "answer") return [answer(event, question)];
    if (event.event === "question")
      return [el("p", {className: "question"}, event.text), ...(!after ? [form(event)] : event.choices ? [choices(event)] : [])];
    /* What a line said. */
    if (!before || before.event !== "line" || asserted(before) && event.ok || !(event.text || event.error)) return [];
    return [el("pre", {className: event.ok ? "result" : "result refused"}, event.text + (event.ok ? "" : event.error))];
  }
  function show() {
    $("lab-back").textContent = "◀ " + words().back;
    $("lab-next").textContent = words().next + " ▶";
    $("lab").replaceChildren(el("option", {value: ""}, words().choose), ...labs.map(lab =>
      el("option", {value: lab.name, title: lab.rows}, lab.name.replace(/-.*/, "  ") + lab[language])));
    $("lab").value = tour ? tour.name : "";
    $("lab-language").value = language;
    $("course-bar").hidden = $("course-text").hidden = !tour;
    if (!tour) return;
    const over = tour.place >= tour.length, questions = {}, all = [];
    tour.events.forEach((event, i) => {
      if (event.event === "question") questions[event.name] = event;
      all.push(...nodes(event, questions[event.name], tour.events[i - 1], tour.events[i + 1]));
    });
    if (over) all.push(el("p", {className: "over"}, words().over + " " + words().grade(tour)));
    $("course-text").replaceChildren(...all);
    $("course-text").lang = language;
    $("course-text").scrollTop = $("course-text").scrollHeight;
    $("course-place").textContent = words().step(tour.place, tour.length);
    $("lab-back").disabled = tour.place <= 1;
    $("lab-next").disabled = over;
    document.documentElement.dataset.lab = [tour.name, language, tour.place].join(" ");
  }

  $("lab").onchange = () => { if ($("lab").value) ask({name: $("lab").value, lang: language}); };
  $("lab-language").onchange = () => {
    language = $("lab-language").value;
    if (tour) ask({lang: language}); else show();
  };
  $("lab-back").onclick = () => ask({n: -1});
  $("lab-next").onclick = () => ask({n: 1});
  return {
    async open() { /* at first: which there are */
      const list = await fetch("labs", {cache: "no-store"});
      labs = list.ok ? await list.json() : [];
      $("course").hidden = !labs.length;
      show();
    },
    next: () => { if (tour && !$("lab-next").disabled) ask({n: 1}); },
    back: () => { if (tour && !$("lab-back").disabled) ask({n: -1}); },
  };
}
