// The report as a patient sees it: the real program serves it, a real browser opens the
// signed link, and every page is checked on a phone and a desktop, light and dark, in
// both languages.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import puppeteer from 'puppeteer-core';

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const program = process.env.DERMALIA_BIN;
const chromium = process.env.CHROMIUM_BIN ?? '/usr/bin/chromium';

const screens = {
  phone: { width: 390, height: 844, isMobile: true, hasTouch: true, deviceScaleFactor: 2 },
  desktop: { width: 1280, height: 900 },
};

let service;
let browser;
let link;

before(async () => {
  assert.ok(program, 'DERMALIA_BIN names the program under test');
  service = spawn(program, ['--json', 'demo', '--size', '1024', '--listen', '127.0.0.1:0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  link = await new Promise((resolve, reject) => {
    service.on('exit', (code) => reject(new Error(`the demo ended with ${code}`)));
    createInterface({ input: service.stdout }).on('line', (line) => {
      const said = JSON.parse(line);
      if (said.link) resolve(said.link);
    });
  });
  browser = await puppeteer.launch({
    executablePath: chromium,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
});

after(async () => {
  await browser?.close();
  service?.removeAllListeners('exit');
  service?.kill('SIGINT');
});

// Opens an address and tells what the browser complained of and whom it asked.
async function open(url, { screen = 'desktop', scheme = 'light', language = 'de' } = {}) {
  const page = await browser.newPage();
  const complaints = [];
  const hosts = new Set();
  page.on('console', (m) => ['error', 'warn'].includes(m.type()) && complaints.push(m.text()));
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('request', (request) => {
    const { protocol, host } = new URL(request.url());
    if (protocol !== 'data:' && protocol !== 'blob:') hosts.add(host);
  });
  await page.setViewport(screens[screen]);
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
  await page.setExtraHTTPHeaders({ 'Accept-Language': language });
  const response = await page.goto(url, { waitUntil: 'networkidle0' });
  return { page, response, complaints, hosts };
}

// axe is brought in past the page's own policy, which forbids foreign scripts.
async function violations(page) {
  const client = await page.createCDPSession();
  await client.send('Runtime.evaluate', { expression: axeSource });
  return page.evaluate(async () => {
    const found = await globalThis.axe.run(document, {
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
    });
    return found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(' ')).join(', ')}`);
  });
}

async function checkPage(url, status, options) {
  const { page, response, complaints, hosts } = await open(url, options);
  assert.equal(response.status(), status);
  // A status of 4xx is itself one line on the console.
  const expected = status >= 400 ? /Failed to load resource.*status of/ : /^$/;
  assert.deepEqual(complaints.filter((c) => !expected.test(c)), []);
  assert.deepEqual([...hosts], [new URL(url).host], 'no third party is asked for anything');
  assert.deepEqual(await violations(page), []);
  const overflow = await page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  );
  assert.equal(overflow, 0, 'nothing is cut off at the side');
  const { lang, images } = await page.evaluate(() => ({
    lang: document.documentElement.lang,
    images: [...document.images].filter((i) => !i.complete || i.naturalWidth === 0).length,
  }));
  assert.equal(images, 0, 'every picture is shown');
  await page.close();
  return { lang, headers: response.headers() };
}

for (const screen of Object.keys(screens)) {
  for (const scheme of ['light', 'dark']) {
    test(`the report on a ${screen}, ${scheme}`, async () => {
      const { lang, headers } = await checkPage(link, 200, { screen, scheme });
      assert.equal(lang, 'de');
      assert.match(headers['content-security-policy'], /default-src 'none'/);
      assert.equal(headers['referrer-policy'], 'no-referrer');
      assert.match(headers['cache-control'], /no-store/);
      assert.equal(headers['set-cookie'], undefined);
    });
  }
}

test('the report in English is one click away', async () => {
  const { page } = await open(link, { language: 'en' });
  const english = await page.$('a[hreflang="en"]');
  assert.ok(english, 'the page links to its translation');
  const address = await english.evaluate((a) => a.href);
  await page.close();
  const { lang } = await checkPage(address, 200, { screen: 'phone', language: 'en' });
  assert.equal(lang, 'en');
});

for (const language of ['de', 'en']) {
  test(`a link that is not ours, in ${language}`, async () => {
    const token = new URL(link).pathname.split('/')[2];
    const forged = link.replace(token, token.slice(0, -2) + (token.endsWith('AA') ? 'AB' : 'AA'));
    const { lang } = await checkPage(forged, 404, { screen: 'phone', language });
    assert.equal(lang, language);
  });
}

test('the privacy page', async () => {
  for (const language of ['de', 'en']) {
    const { lang } = await checkPage(new URL('/privacy', link).href, 200, { language });
    assert.equal(lang, language);
  }
});
