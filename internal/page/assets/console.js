"use strict";
// Shows times in the reader's zone, and refreshes what is still going on.
(() => {
  const format = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  const withDay = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short", hour: "numeric", minute: "2-digit" });
  for (const time of document.querySelectorAll("time[datetime]")) time.textContent = ("weekday" in time.dataset ? withDay : format).format(new Date(time.dateTime));

  const poll = async (line, wait) => {
    await new Promise((resolve) => setTimeout(resolve, wait));
    try {
      const response = await fetch(line.dataset.poll, { headers: { Accept: "application/json" } });
      if (response.ok) {
        const now = await response.json();
        if (line.textContent !== now.text) line.textContent = now.text;
        if (now.done) return location.reload();
        wait = 2000;
      } else wait = Math.min(wait * 2, 60000);
    } catch { wait = Math.min(wait * 2, 60000); }
    poll(line, wait);
  };
  for (const line of document.querySelectorAll("[data-poll]")) poll(line, 2000);
})();
