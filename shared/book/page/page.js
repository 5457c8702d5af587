// What the theme leaves out for who uses a keyboard or a screen reader; some of it is put into the page after it has loaded.
function mend() {
  for (const box of document.querySelectorAll(".md-typeset__scrollwrap, .md-typeset pre > code")) {
    if (box.scrollWidth > box.clientWidth && !box.hasAttribute("tabindex")) {
      box.tabIndex = 0; // what scrolls in a box is scrolled by the arrow keys
    }
    if (box.tabIndex === 0 && !box.hasAttribute("aria-label")) {
      box.setAttribute("role", "group");
      box.setAttribute("aria-label", box.matches("code") ? "code" : "table");
    }
  }
  for (const mark of document.querySelectorAll("a[id^=__codelineno]:not([tabindex])")) {
    mark.tabIndex = -1; // a place to link to, not a link to follow
    mark.setAttribute("aria-hidden", "true");
  }
  for (const buttons of document.querySelectorAll("nav.md-code__nav:not([role])")) {
    buttons.setAttribute("role", "none"); // a copy button is no navigation
  }
}
addEventListener("load", mend);
new MutationObserver(mend).observe(document.documentElement, { childList: true, subtree: true });
