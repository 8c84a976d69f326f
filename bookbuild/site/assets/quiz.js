// Quiz questions: show the explanation of the chosen option. Without this script the explanations are
// ordinary <details> that a reader opens by hand.
document.addEventListener("DOMContentLoaded", () => {
  for (const quiz of document.querySelectorAll("fieldset.quiz")) {
    const options = [...quiz.querySelectorAll(".quiz-option")];
    // Announced by screen readers when its content changes; filled with a copy of the explanation.
    const feedback = document.createElement("div");
    feedback.className = "quiz-feedback";
    feedback.setAttribute("role", "status");
    quiz.append(feedback);
    for (const option of options) {
      const explanation = option.querySelector("details");
      explanation.hidden = true;
      option.querySelector("input").addEventListener("change", () => {
        const chosen = [...explanation.children].filter((part) => part.tagName !== "SUMMARY");
        feedback.replaceChildren(...chosen.map((part) => part.cloneNode(true)));
        feedback.classList.toggle("quiz-right", explanation.classList.contains("quiz-right"));
        feedback.classList.toggle("quiz-wrong", explanation.classList.contains("quiz-wrong"));
        // What was tried keeps its mark.
        option.classList.add(explanation.classList.contains("quiz-right") ? "right" : "wrong");
      });
    }
  }
});
