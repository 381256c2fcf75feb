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

// Whatever can be pressed or filled, as long as it is to be seen.
const targets = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']";

// tabThrough tabs through a page, and fails for what is not reached, or does not show that
// it has the focus, or keeps it.
export async function tabThrough(page) {
  const count = await page.evaluate((targets) => {
    const all = [...document.querySelectorAll(targets)].filter((at) => at.checkVisibility() && !at.disabled);
    const radios = new Set(); // of a group, Tab reaches one
    return all.filter((at) => at.type !== "radio" || !radios.has(at.name) && radios.add(at.name)).length;
  }, targets);
  for (let step = 0; step < count; step++) {
    await page.keyboard.press("Tab");
    const at = await focused(page);
    assert.ok(at.seen, `the focus on ${at.tag} "${at.text}" is not to be seen at ${page.url()}`);
    await page.evaluate(() => { document.activeElement.dataset.reached = "yes"; });
  }
  const missed = await page.evaluate((targets) => [...document.querySelectorAll(targets)]
    .filter((at) => at.checkVisibility() && !at.disabled && at.type !== "radio" && !at.dataset.reached).map((at) => at.outerHTML.slice(0, 200)), targets);
  assert.deepEqual(missed, [], `Tab does not reach this at ${page.url()}`);
}

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
