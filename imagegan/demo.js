element.addEventListener("click", (event) => {
  const picture = event.target.closest("[data-picture]");
  if (picture) trigger("click", {picture: +picture.dataset.picture});
});
