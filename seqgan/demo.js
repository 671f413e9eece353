const act = (target) => {
  const token = target.closest("[data-at]"), copy = target.closest("[data-copy]");
  if (token) trigger("click", {text: +token.closest("article").dataset.text, at: +token.dataset.at});
  if (copy) copied(copy);
};
const copied = async (button) => {
  try { await navigator.clipboard.writeText(button.dataset.copy); button.textContent = "copied"; }
  catch { getSelection().selectAllChildren(button.closest("article").querySelector(".tokens")); }  // not a secure page
};
element.addEventListener("click", (event) => act(event.target));
element.addEventListener("keydown", (event) => { if (event.key === "Enter" && event.target.matches("[data-at]")) act(event.target); });
