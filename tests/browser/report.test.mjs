// The report as a patient sees it: the real program serves it, a real browser opens the
// signed link, and every page is checked on a phone and a desktop, light and dark, in
// both languages.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import {
  cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import puppeteer from 'puppeteer-core';

const require = createRequire(import.meta.url);
const axeSource = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
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
    // WebGL is drawn by the processor, so that the 3D view is tested on any machine.
    args: ['--no-sandbox', '--use-gl=angle', '--use-angle=swiftshader', '--enable-unsafe-swiftshader',
      '--ignore-gpu-blocklist', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
});

after(async () => {
  await browser?.close();
  service?.removeAllListeners('exit');
  service?.kill('SIGINT');
});

// Opens an address and tells what the browser complained of and whom it asked.
async function open(url, { screen = 'desktop', scheme = 'light', language = 'de', ownPolicy = true } = {}) {
  const page = await browser.newPage();
  // Without the page's policy a test can give it a font.
  await page.setBypassCSP(!ownPolicy);
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
const wcag = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];

async function violations(page, rules = [...wcag, 'best-practice']) {
  const client = await page.createCDPSession();
  await client.send('Runtime.evaluate', { expression: axeSource });
  return page.evaluate(async (runOnly) => {
    const found = await globalThis.axe.run(document, { runOnly });
    return found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(' ')).join(', ')}`);
  }, rules);
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
  const { lang, images } = await page.evaluate(async () => {
    // Pictures farther down are fetched when they come near.
    const all = [...document.images];
    all.forEach((i) => { i.loading = 'eager'; });
    await Promise.allSettled(all.map((i) => i.decode()));
    return {
      lang: document.documentElement.lang,
      images: all.filter((i) => !i.complete || i.naturalWidth === 0).length,
    };
  });
  assert.equal(images, 0, 'every picture is shown');
  await page.close();
  return { lang, headers: response.headers() };
}

for (const screen of Object.keys(screens)) {
  for (const scheme of ['light', 'dark']) {
    for (const language of ['de', 'en']) {
      test(`the report in ${language} on a ${screen}, ${scheme}`, async () => {
        const address = language === 'de' ? link : `${link}?report.en.html`;
        const { lang, headers } = await checkPage(address, 200, { screen, scheme, language });
        assert.equal(lang, language);
        assert.match(headers['content-security-policy'], /default-src 'none'/);
        assert.equal(headers['referrer-policy'], 'no-referrer');
        assert.match(headers['cache-control'], /no-store/);
        assert.equal(headers['set-cookie'], undefined);
      });

      test(`what we promise in ${language} on a ${screen}, ${scheme}`, async () => {
        for (const path of ['/privacy', '/security']) {
          const address = new URL(path, link).href;
          const { lang } = await checkPage(address, 200, { screen, scheme, language });
          assert.equal(lang, language);
        }
      });
    }
  }
}

test('the report in English is one click away', async () => {
  const { page } = await open(link, { language: 'en' });
  const english = await page.$('a[hreflang="en"]');
  assert.ok(english, 'the page links to its translation');
  assert.equal(await english.evaluate((a) => a.href), `${link}?report.en.html`);
  await page.close();
});

for (const language of ['de', 'en']) {
  test(`a link that is not ours, in ${language}`, async () => {
    const token = new URL(link).pathname.split('/')[2];
    const forged = link.replace(token, token.slice(0, -2) + (token.endsWith('AA') ? 'AB' : 'AA'));
    const { lang } = await checkPage(forged, 404, { screen: 'phone', language });
    assert.equal(lang, language);
  });
}

test('the first view transfers less than 150 kB', async () => {
  const page = await browser.newPage();
  const sizes = [];
  page.on('response', (response) => {
    // What the page tells by itself has no answer to read.
    if (response.request().method() !== 'GET') return;
    sizes.push(response.buffer().then((bytes) => (
      // Text is compressed on its way by whatever stands before the origin.
      response.headers()['content-type'].startsWith('text/html') ? gzipSync(bytes).length : bytes.length
    )));
  });
  await page.setViewport(screens.phone);
  await page.goto(link, { waitUntil: 'networkidle0' });
  const total = (await Promise.all(sizes)).reduce((a, b) => a + b, 0);
  assert.ok(total < 150_000, `${total} bytes`);
  // All code stands in the page, the 3D view's included.
  const [code, elsewhere] = await page.evaluate(() => [
    [...document.scripts].map((s) => s.text).join(''),
    [...document.scripts].filter((s) => s.src).length,
  ]);
  const zipped = gzipSync(code).length;
  assert.ok(code.includes('webgl') && elsewhere === 0, `${elsewhere} scripts from elsewhere`);
  assert.ok(zipped < 60_000, `${zipped} bytes of script`);
  await page.close();
});

test('printed, the page takes six sheets at most', async () => {
  const { page } = await open(link);
  const pdf = Buffer.from(await page.pdf({ preferCSSPageSize: true, printBackground: true }));
  const sheets = pdf.toString('latin1').match(/\/Type\s*\/Page\b/g).length;
  assert.ok(sheets <= 6, `${sheets} sheets`);
  await page.close();
});

// The first screen as a few hundred shades of grey. Machines have other fonts, which are
// wider or narrower, and days have longer and shorter names: here the page is set in a font
// that comes with the tests, with one date. `REGENERATE=1` writes the file anew.
const goldenFile = new URL('golden.json', import.meta.url);
const columns = 16;
const font = ['400', '700'].map((weight) => {
  const file = require.resolve(`@fontsource/noto-sans/files/noto-sans-latin-${weight}-normal.woff2`);
  const data = readFileSync(file).toString('base64');
  return `@font-face { font-family: Kept; font-weight: ${weight}; src: url(data:font/woff2;base64,${data}); }`;
}).join('\n');
async function setAlike(page) {
  await page.addStyleTag({ content: `${font}\n:root { --serif: Kept !important; --sans: Kept !important; }` });
  const families = await page.evaluate(async () => {
    await Promise.all([...document.fonts].map((f) => f.load()));
    return [...document.fonts].filter((f) => f.status === 'loaded').map((f) => f.family);
  });
  assert.deepEqual(families, ['Kept', 'Kept']);
  const dates = await page.evaluate(() => {
    let changed = 0;
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      const text = texts.currentNode;
      const alike = text.data.replaceAll(/\d{1,2}\. [A-ZÄ][a-zä]+ 20\d\d/g, '22. November 2026');
      changed += Number(/22\. November 2026/.test(alike));
      text.data = alike;
    }
    return changed;
  });
  assert.ok(dates > 0, 'the first screen tells the day of the scan');
}
async function shades(page) {
  const png = await page.screenshot({ encoding: 'base64' });
  const blank = await browser.newPage();
  const seen = await blank.evaluate(async (data, across) => {
    const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
    const picture = await createImageBitmap(new Blob([bytes], { type: 'image/png' }));
    const down = Math.round((across * picture.height) / picture.width);
    // Halved until it is small, so that every pixel counts.
    let drawn = picture;
    for (let w = picture.width; w > across;) {
      w = Math.max(across, Math.ceil(w / 2));
      const h = Math.max(down, Math.round((w * down) / across));
      const canvas = new OffscreenCanvas(w, h);
      canvas.getContext('2d').drawImage(drawn, 0, 0, w, h);
      drawn = canvas;
    }
    const { data: rgba } = drawn.getContext('2d').getImageData(0, 0, drawn.width, drawn.height);
    const grey = [];
    for (let i = 0; i < rgba.length; i += 4) {
      grey.push(Math.round(0.2126 * rgba[i] + 0.7152 * rgba[i + 1] + 0.0722 * rgba[i + 2]));
    }
    return grey;
  }, png, columns);
  await blank.close();
  return seen;
}

test('the first screen looks as it did', async () => {
  const golden = process.env.REGENERATE ? {} : JSON.parse(readFileSync(goldenFile, 'utf8'));
  for (const screen of Object.keys(screens)) {
    for (const scheme of ['light', 'dark']) {
      const { page } = await open(link, { screen, scheme, ownPolicy: false });
      await setAlike(page);
      await page.evaluate(() => Promise.all([...document.images].slice(0, 2).map((i) => i.decode())));
      const seen = await shades(page);
      await page.close();
      const name = `${screen}, ${scheme}`;
      if (process.env.REGENERATE) { golden[name] = seen; continue; }
      const kept = golden[name];
      assert.equal(seen.length, kept.length, name);
      const off = seen.map((v, i) => Math.abs(v - kept[i]));
      const mean = off.reduce((a, b) => a + b, 0) / off.length;
      const far = off.filter((v) => v > 40).length / off.length;
      assert.ok(mean < 8 && far < 0.08, `${name}: ${mean.toFixed(1)} shades off, ${(100 * far).toFixed(1)} % far off`);
    }
  }
  if (process.env.REGENERATE) writeFileSync(goldenFile, `${JSON.stringify(golden)}\n`);
});

test('a language from right to left finds its layout', async () => {
  for (const screen of Object.keys(screens)) {
    const { page } = await open(link, { screen });
    await page.evaluate(() => { document.documentElement.dir = 'rtl'; });
    const { overflow, mirrored } = await page.evaluate(() => {
      const middle = (e) => { const box = e.getBoundingClientRect(); return box.left + box.width / 2; };
      const row = document.querySelector('.glance li');
      return {
        overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
        mirrored: middle(row.querySelector('.name')) > middle(row.querySelector('.value')),
      };
    });
    assert.equal(overflow, 0, `nothing is cut off on a ${screen}`);
    assert.ok(mirrored, 'names stand on the right');
    assert.deepEqual(await violations(page), []);
    await page.close();
  }
});

// What a picture of the canvas holds: how much of it is not backdrop, and the pixels.
async function look(page) {
  const png = await (await page.$('.viewer canvas')).screenshot({ encoding: 'base64' });
  const blank = await browser.newPage();
  const seen = await blank.evaluate(async (data) => {
    const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
    const picture = await createImageBitmap(new Blob([bytes], { type: 'image/png' }));
    const canvas = new OffscreenCanvas(100, 120);
    const pen = canvas.getContext('2d');
    pen.drawImage(picture, 0, 0, 100, 120);
    return [...pen.getImageData(0, 0, 100, 120).data];
  }, png);
  await blank.close();
  return seen;
}

// The share of pixels that differ clearly.
const difference = (a, b) => {
  let count = 0;
  for (let i = 0; i < a.length; i += 4) {
    if (Math.abs(a[i] - b[i]) + Math.abs(a[i + 1] - b[i + 1]) + Math.abs(a[i + 2] - b[i + 2]) > 24) count += 1;
  }
  return count / (a.length / 4);
};

test('the head is drawn, painted, turned and read', async () => {
  const { page, complaints, hosts } = await open(link, { screen: 'phone' });
  await page.emulateMediaFeatures([{ name: 'prefers-reduced-motion', value: 'reduce' }]);
  await page.$eval('#viewer', (e) => e.scrollIntoView({ behavior: 'instant' }));
  await page.$eval('.viewer-open', (e) => e.click());
  await page.waitForSelector('.viewer.is-open', { timeout: 60_000 });
  const drawn = (n) => page.waitForFunction(
    (least) => Number(document.querySelector('.viewer canvas').dataset.frames ?? 0) >= least, {}, n);
  const frames = () => page.$eval('.viewer canvas', (c) => Number(c.dataset.frames ?? 0));
  await drawn(1);
  const skin = await look(page);
  // The backdrop, away from the rounded corner.
  const inside = 4 * (10 * 100 + 10);
  const backdrop = Array.from({ length: skin.length }, (_, i) => skin[inside + (i % 4)]);
  const head = difference(skin, backdrop);
  assert.ok(head > 0.15 && head < 0.9, `${head} of the canvas is head`);
  // The middle of the face is skin, not a plain surface.
  const at = 4 * (60 * 100 + 42);
  assert.ok(skin[at] > skin[at + 2] + 15, `${skin.slice(at, at + 3)}`);

  const before = await frames();
  await page.$eval('input[value=redness]', (e) => e.click());
  await drawn(before + 1);
  await page.waitForFunction(() => document.querySelector('.viewer-status').textContent === '');
  const painted = await look(page);
  assert.ok(difference(skin, painted) > 0.1, 'an overlay changes pixels');

  await page.focus('.viewer canvas');
  await page.keyboard.press('ArrowLeft');
  await page.keyboard.press('ArrowLeft');
  await new Promise((resolve) => { setTimeout(resolve, 500); });
  assert.ok(difference(painted, await look(page)) > 0.05, 'an arrow key turns it');

  await page.$eval('[data-act=next]', (e) => e.click());
  const told = await page.$eval('.viewer-status', (e) => e.textContent);
  assert.match(told, /^1 von \d+\. .+: gerötete Stelle, \d+,\d mm² groß/);
  assert.deepEqual(await violations(page), []);
  assert.deepEqual(complaints, []);
  assert.deepEqual([...hosts], [new URL(link).host]);
  await page.close();
});

test('without WebGL the pictures remain', async () => {
  const page = await browser.newPage();
  await page.evaluateOnNewDocument(() => { HTMLCanvasElement.prototype.getContext = () => null; });
  await page.goto(link, { waitUntil: 'networkidle0' });
  assert.equal(await page.$eval('#viewer', (e) => e.hidden), true);
  assert.ok(await page.$$eval('.stills img', (all) => all.length) >= 5);
  await page.close();
});

// The service with two scans of one patient: skin with and then without its marks.
async function twoScans() {
  const scratch = mkdtempSync(join(tmpdir(), 'dermalia-compare-'));
  const data = join(scratch, 'data');
  const port = await new Promise((resolve) => {
    const door = createServer().listen(0, '127.0.0.1', () => {
      const { port: free } = door.address();
      door.close(() => resolve(free));
    });
  });
  const process = spawn(program, ['--json', 'serve', '--data', data, '--listen', `127.0.0.1:${port}`],
    { stdio: ['ignore', 'ignore', 'inherit'] });
  const tell = (...args) => {
    const done = spawnSync(program, ['--json', ...args, '--data', data], { encoding: 'utf8' });
    return done.status === 0 ? JSON.parse(done.stdout.trim().split('\n').at(-1)) : null;
  };
  const upload = async (scan, months, changes, ...options) => {
    const folder = join(scratch, scan);
    spawnSync(program, ['phantom', '--seed', '7', '--size', '512', '--out', folder, ...options], { stdio: 'inherit' });
    const manifest = join(folder, 'bundle/manifest.json');
    const captured = new Date(Date.now() - months * 30 * 86_400_000).toISOString().slice(0, 19);
    const said = { ...JSON.parse(readFileSync(manifest, 'utf8')), ...changes, scan_id: scan };
    writeFileSync(manifest, JSON.stringify({ ...said, captured_at: `${captured}+00:00` }));
    const incoming = join(data, 'incoming', said.practice_id);
    mkdirSync(incoming, { recursive: true });
    cpSync(join(folder, 'bundle'), join(incoming, scan), { recursive: true });
    for (let wait = 0; wait < 600; wait += 1) {
      const shown = tell('link', 'show', scan);
      if (shown?.state === 'delivered' && shown.link) return shown.link;
      assert.ok(!['refused', 'failed'].includes(shown?.state), JSON.stringify(shown));
      await new Promise((resolve) => { setTimeout(resolve, 200); });
    }
    throw new Error(`${scan} was not delivered`);
  };
  const stop = async () => {
    const ended = new Promise((resolve) => { process.on('exit', resolve); });
    process.kill('SIGINT');
    await ended;
    rmSync(scratch, { recursive: true });
  };
  return { upload, tell, stop, data };
}

// The parts of the mail that greets somebody of this name.
function mailTo(data, name) {
  const outbox = join(data, 'outbox');
  const mails = readdirSync(outbox).filter((file) => file.endsWith('.eml')).map((file) => {
    const whole = readFileSync(join(outbox, file), 'utf8');
    const part = (kind) => Buffer.from(
      whole.split(`Content-Type: text/${kind};`)[1].split('\r\n\r\n')[1].split('\r\n--')[0], 'base64').toString();
    return { text: part('plain'), html: part('html') };
  });
  return mails.find((mail) => mail.text.includes(name));
}

// It is read as plain text and seen in the browser: nothing is fetched, nothing too wide,
// nothing of what was measured told.
async function readMail(data, name, language, link) {
  const { text, html } = mailTo(data, name);
  assert.ok(text.includes(link) && html.includes(link));
  assert.ok(text.split('\n').every((line) => !/<[a-z]/i.test(line)), 'plain text has no tags');
  const words = language === 'de' ? /Falten|Poren|Pigment|Rötung|Haut(ton|relief)/ : /wrinkle|pore|pigment|redness|skin tone/i;
  for (const part of [text, html]) assert.ok(!words.test(part), 'no measure is named');
  for (const screen of Object.keys(screens)) {
    for (const scheme of ['light', 'dark']) {
      const page = await browser.newPage();
      const asked = [];
      page.on('request', (request) => asked.push(request.url()));
      await page.setViewport(screens[screen]);
      await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
      await page.setContent(html);
      const seen = await page.evaluate(() => ({
        language: document.documentElement.lang,
        over: document.documentElement.scrollWidth - innerWidth,
        words: document.body.innerText.length,
        links: [...document.links].map((a) => a.getBoundingClientRect().height),
      }));
      assert.equal(seen.language, language);
      assert.ok(seen.over <= 0, `the mail is ${seen.over} px too wide on the ${screen}`);
      assert.ok(seen.words > 200 && seen.links.length >= 1 && Math.max(...seen.links) >= 24);
      const picture = await page.screenshot();
      assert.ok(picture.length > 10_000, 'a picture of the mail is not empty');
      if (process.env.PICTURES) writeFileSync(join(process.env.PICTURES, `mail-${language}-${screen}-${scheme}.png`), picture);
      // A mail is part of a mail program's page: it has no landmarks of its own.
      assert.deepEqual(await violations(page, wcag), []);
      assert.deepEqual(asked.filter((url) => /^https?:/.test(url)), []);
      await page.close();
    }
  }
}

// The share of pixels that differ in each half of the canvas.
const halves = (a, b, isBeside) => {
  const parts = [[], []];
  for (let i = 0; i < a.length; i += 4) {
    const [x, y] = [(i / 4) % 100, Math.floor(i / 400)];
    parts[Number(isBeside ? x >= 50 : y >= 60)].push(i);
  }
  const pick = (from, part) => part.flatMap((i) => from.slice(i, i + 4));
  return parts.map((part) => difference(pick(a, part), pick(b, part)));
};

test('the scan before stands beside this one until it is erased', async () => {
  const { upload, tell, stop, data: kept } = await twoScans();
  const patient = (first_name, locale) => ({ first_name, locale, email: 'patient@example.org' });
  try {
    const earlier = await upload('scan-before', 6, { patient: patient('Anna', 'en') });
    const later = await upload('scan-now', 0, { previous_scan_id: 'scan-before', patient: patient('Zoë', 'de') }, '--clean');
    await readMail(kept, 'Anna', 'en', earlier);
    await readMail(kept, 'Zoë', 'de', later);
    for (const [screen, scheme] of [['phone', 'light'], ['desktop', 'dark']]) {
      const { page, complaints } = await open(later, { screen, scheme });
      const asked = [];
      page.on('request', (request) => asked.push(request.url().split('?')[1]));
      await page.emulateMediaFeatures([
        { name: 'prefers-reduced-motion', value: 'reduce' }, { name: 'prefers-color-scheme', value: scheme }]);
      // What changed is told in words, region by region in a table, and nothing is too wide.
      await page.$eval('#changes details', (e) => { e.open = true; });
      const [sentences, rows] = await page.$eval('#changes', (e) => (
        ['.plain li', 'details tbody tr'].map((what) => e.querySelectorAll(what).length)));
      assert.ok(sentences >= 1 && rows >= 8, `${sentences} sentences, ${rows} regions`);
      const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(over <= 0, `the page is ${over} px too wide`);
      if (process.env.PICTURES) {
        const part = await page.$('#changes');
        await part.screenshot({ path: join(process.env.PICTURES, `changes-${screen}.png`) });
      }
      await page.$eval('#viewer', (e) => e.scrollIntoView({ behavior: 'instant' }));
      await page.$eval('.viewer-open', (e) => e.click());
      await page.waitForSelector('.viewer.is-open', { timeout: 60_000 });
      const settle = () => new Promise((resolve) => { setTimeout(resolve, 500); });
      await settle();
      assert.ok(!asked.includes('previous.glb'), 'it is not loaded before somebody asks for it');
      await page.focus('[data-act=compare]');
      await page.keyboard.press('Enter');
      await page.waitForSelector('.viewer.is-compared', { timeout: 60_000 });
      await settle();
      assert.ok(asked.includes('previous.glb'));
      assert.equal(await page.$eval('[data-act=compare]', (e) => e.ariaPressed), 'true');
      assert.match(await page.$eval('.viewer canvas', (e) => e.ariaLabel), /zweimal/);
      if (process.env.PICTURES) await page.screenshot({ path: join(process.env.PICTURES, `compare-${screen}-skin.png`) });
      const isBeside = screen === 'desktop';
      const skin = await look(page);
      const inside = 4 * (50 * 100 + 2);
      const backdrop = Array.from({ length: skin.length }, (_, i) => skin[inside + (i % 4)]);
      for (const share of halves(skin, backdrop, isBeside)) {
        assert.ok(share > 0.1 && share < 0.95, `${share} of a half is head`);
      }
      // Each in its own half, with backdrop between and around them.
      const edges = skin.map((v, i) => i).filter((i) => (i / 4 | 0) % (isBeside ? 50 : 100) === 0);
      assert.ok(difference(edges.map((i) => skin[i]), edges.map((i) => backdrop[i])) < 0.1);
      const wide = await page.$eval('.viewer canvas', (e) => e.clientWidth - e.parentElement.clientWidth);
      assert.equal(wide, 0, 'the canvas fills its stage and no more');
      await page.focus('.viewer canvas');
      await page.keyboard.press('ArrowLeft');
      await page.keyboard.press('ArrowLeft');
      await settle();
      for (const share of halves(skin, await look(page), isBeside)) {
        assert.ok(share > 0.04, `turning changes ${share} of a half`);
      }
      await page.keyboard.press('Home');
      await settle();
      await page.$eval('input[value=pigmentation]', (e) => e.click());
      await page.waitForFunction(() => document.querySelector('.viewer-status').textContent === '');
      await settle();
      assert.ok(asked.includes('heat_previous_pigmentation.webp') && asked.includes('heat_pigmentation.webp'));
      for (const share of halves(skin, await look(page), isBeside)) {
        assert.ok(share > 0.05, `an overlay changes ${share} of a half`);
      }
      if (process.env.PICTURES) await page.screenshot({ path: join(process.env.PICTURES, `compare-${screen}-map.png`) });
      assert.deepEqual(await violations(page), []);
      await page.$eval('[data-act=compare]', (e) => e.click());
      await page.waitForSelector('.viewer:not(.is-compared)');
      assert.deepEqual(complaints, []);
      await page.close();
    }
    const copies = () => Promise.all(['data.json', 'fhir.json'].map(async (name) => (
      (await fetch(`${later}?${name}`)).text())));
    const [data, bundle] = await copies();
    assert.ok(data.includes('smallest_detectable') && bundle.includes('smallest-detectable'));
    // Nothing of the earlier scan is left under the later one's link.
    assert.equal((await fetch(`${later}?previous.glb`)).status, 200);
    assert.ok(tell('rights', 'erase', 'scan-before'));
    for (const name of ['previous.glb', 'heat_previous_pigmentation.webp']) {
      assert.equal((await fetch(`${later}?${name}`)).status, 404, name);
    }
    for (let wait = 0; wait < 150 && (await fetch(later)).status !== 200; wait += 1) {
      await new Promise((resolve) => { setTimeout(resolve, 200); });
    }
    const anew = await (await fetch(later)).text();
    assert.ok(anew.includes('scan.glb') && !anew.includes('data-before'));
    assert.ok(!anew.includes('id="changes"'));
    const [left, leftBundle] = await copies();
    assert.ok(left.includes('"findings"') && !left.includes('smallest_detectable'));
    assert.ok(leftBundle.includes('Observation') && !leftBundle.includes('smallest-detectable'));
    assert.equal((await fetch(`${later}?previous.glb`)).status, 404);
  } finally {
    await stop();
  }
});
