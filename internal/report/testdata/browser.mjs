// Looks at pages in Chromium, as a phone, a laptop and paper show them.
// In: [{"name", "page", "narrow"}]; those that are narrow are looked at where there is the least room. Out: what is wrong, a sentence each.
// With a folder as its argument it leaves a screenshot of each there.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import chromium from '@sparticuz/chromium';
import puppeteer from 'puppeteer-core';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const parts = [];
for await (const part of process.stdin) parts.push(part);
const pages = JSON.parse(Buffer.concat(parts).toString());
const folder = process.argv[2];

const views = [
  { name: 'phone', width: 390, height: 844, scheme: 'light' },
  { name: 'dark phone', width: 390, height: 844, scheme: 'dark' },
  { name: 'laptop', width: 1280, height: 800, scheme: 'light' },
  { name: 'dark laptop', width: 1280, height: 800, scheme: 'dark' },
  { name: 'paper', width: 794, height: 1123, scheme: 'light', media: 'print' }, // A4 at 96 dots an inch
];

// broad are the elements that stand out of the window, or whose text is cut. What scrolls by itself is allowed to.
function broad() {
  const found = [];
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) found.push(`the page is ${root.scrollWidth} pixels wide, and its window ${root.clientWidth}`);
  for (const e of document.querySelectorAll('main *')) {
    if (e.closest('svg, .table')) continue;
    const box = e.getBoundingClientRect();
    if (box.right > root.clientWidth + 1 || box.left < -1) found.push(`<${e.tagName.toLowerCase()}> reaches from ${Math.round(box.left)} to ${Math.round(box.right)}: ${e.textContent.slice(0, 60)}`);
  }
  return found;
}

const browser = await puppeteer.launch({
  args: puppeteer.defaultArgs({ args: chromium.args, headless: 'shell' }), executablePath: await chromium.executablePath(), headless: 'shell',
});
const wrong = [];
try {
  const tab = await browser.newPage();
  tab.on('request', (request) => { if (!request.url().startsWith('about:')) wrong.push(`it fetches ${request.url()}`); });
  tab.on('dialog', (dialog) => { wrong.push('it opens a dialog'); dialog.dismiss(); });
  for (const view of views) {
    await tab.setViewport({ width: view.width, height: view.height });
    await tab.emulateMediaType(view.media ?? 'screen');
    await tab.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: view.scheme }]);
    for (const { name, page, narrow } of pages) {
      if (narrow && view.name !== 'phone') continue;
      await tab.setContent(page);
      const found = await tab.evaluate(broad);
      await tab.evaluate(axe);
      const { violations } = await tab.evaluate(() => axe.run());
      for (const v of violations) found.push(`${v.id}: ${v.help}, at ${v.nodes.map((n) => n.target.join(' ')).slice(0, 3).join('; ')}`);
      wrong.push(...found.map((f) => `${name}, ${view.name}: ${f}`));
      if (folder) { // as much as Chromium draws at once
        const height = Math.min(8000, await tab.evaluate(() => document.documentElement.scrollHeight));
        await tab.screenshot({ path: `${folder}/${name} ${view.name}.png`, clip: { x: 0, y: 0, width: view.width, height } });
      }
    }
  }
} finally {
  await browser.close();
}
process.stdout.write(JSON.stringify(wrong));
