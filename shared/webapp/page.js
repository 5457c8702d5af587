// A picture that is pasted anywhere on the page goes where a dropped one would. (Gradio has two buttons for that, and no key.)
document.addEventListener("paste", (event) => {
  const place = document.querySelector("input[type=file]");
  if (place && event.clipboardData.files.length) {
    event.preventDefault();
    place.files = event.clipboardData.files;
    place.dispatchEvent(new Event("change", { bubbles: true }));
  }
});
