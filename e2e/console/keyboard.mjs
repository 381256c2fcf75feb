// A person who has no pointer: everything is reached by Tab and pressed by Enter.
import assert from "node:assert/strict";

// focused is what has the focus: its role, its words, and whether one sees that it does.
const focused = (page) => page.evaluate(() => {
  const at = document.activeElement, style = getComputedStyle(at);
  return {
    tag: at.tagName, text: (at.innerText || at.value || at.getAttribute("aria-label") || at.name || "").trim(),
    seen: at === document.body || style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0,
  };
});

// reach tabs to the link, button or field with these words. Whatever has the focus on the way must show it.
export async function reach(page, words) {
  for (let step = 0; step < 150; step++) {
    await page.keyboard.press("Tab");
    const at = await focused(page);
    assert.ok(at.seen, `the focus on ${at.tag} "${at.text}" is not to be seen at ${page.url()}`);
    if (words instanceof RegExp ? /^(A|BUTTON)$/.test(at.tag) && words.test(at.text) : at.text === words) return;
  }
  assert.fail(`Tab does not reach ${words} at ${page.url()}`);
}

export async function press(page, words, key = "Enter") {
  await reach(page, words);
  await page.keyboard.press(key);
}
