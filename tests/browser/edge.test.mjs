// One report behind both hosts of links: the Worker in its real runtime, in
// front of an emulated S3, and the native server of `dermalia demo`. Both give
// the same answers, and a real browser is content with the Worker's.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import puppeteer from 'puppeteer-core';
import { ask, startStore, startWorker } from '../../edge/test/cloud.mjs';
import { Key } from '../../edge/test/links.mjs';

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const program = process.env.DERMALIA_BIN;
const chromium = process.env.CHROMIUM_BIN ?? '/usr/bin/chromium';
/** Pictures of every page go here, if it is named. */
const pictures = process.env.DERMALIA_PICTURES;
// The hash of the code 042137 for the report of this id.
const CODED = '000102030405060708090a0b0c0d0e0f';
/** A report that is being drawn anew. */
const RENEWED = '0c'.repeat(16);
const CODE_HASH = 'AwMDAwMDAwMDAwMDAwMDAw.NiBDZjpEEfuFrYw91EpIiQRarZgxXRrzHAep9hImY_M';
const FIXED = ['report.html', 'report.en.html', 'scan.glb', 'data.json', 'findings.json', 'report.pdf', 'fhir.json'];

const folder = mkdtempSync(join(tmpdir(), 'dermalia-edge-'));
const data = join(folder, 'data');
let service;
let native;
let key;
let claims;
let store;
let worker;
let secure;
let browser;
let files;
let front;

before(async () => {
  assert.ok(program, 'DERMALIA_BIN names the program under test');
  service = spawn(program, ['--json', 'demo', '--size', '1024', '--listen', '127.0.0.1:0', '--data', data], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const link = await new Promise((resolve, reject) => {
    service.on('exit', (code) => reject(new Error(`the demo ended with ${code}`)));
    createInterface({ input: service.stdout }).on('line', (line) => {
      const said = JSON.parse(line);
      if (said.link) resolve(new URL(said.link));
    });
  });
  native = link.origin;
  const [id, seed] = readFileSync(join(data, 'signing.key'), 'utf8').trim().split(':');
  key = new Key(Number(id), Buffer.from(seed, 'hex'));
  const payload = Buffer.from(link.pathname.split('/')[2], 'base64url');
  claims = { report: payload.toString('hex', 3, 19), epoch: payload.readUInt32BE(24) };
  store = await startStore();
  files = await copyReport(link.pathname);
  worker = await startWorker(store, [key]);
  // A browser keeps a `__Host-` cookie of an encrypted address alone.
  secure = await startWorker(store, [key], {}, { https: true });
  browser = await puppeteer.launch({
    executablePath: chromium,
    args: ['--no-sandbox', '--disable-quic', '--no-first-run', '--enable-unsafe-swiftshader',
      // The Worker's certificate on this machine is its own.
      '--ignore-certificate-errors',
      '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
});

after(async () => {
  await browser?.close();
  await secure?.stop();
  await worker?.stop();
  await store?.stop();
  service?.removeAllListeners('exit');
  service?.kill('SIGINT');
  rmSync(folder, { recursive: true, force: true });
});

/** Puts what the native server serves into the emulated S3, as the cloud would. */
async function copyReport(path) {
  const page = await ask(native, path);
  assert.equal(page.status, 200);
  const named = page.text.match(/\b(?:heat|still)_[a-z0-9_-]+\.webp/g) ?? [];
  const found = [];
  for (const name of new Set([...FIXED, ...named])) {
    const file = await ask(native, `${path}/${name}`);
    if (file.status !== 200) continue;
    found.push(name);
    const metadata = { epoch: String(claims.epoch) };
    for (const kind of ['style', 'script']) {
      const [, sources] = new RegExp(`${kind}-src ([^;]*)`).exec(file.headers['content-security-policy']) ?? [];
      const hashes = [...(sources ?? '').matchAll(/'sha256-([^']+)'/g)].map(([, hash]) => hash);
      if (hashes.length) metadata[`csp-${kind}-sha256`] = hashes.join(' ');
    }
    await store.put(claims.report, name, file.body, metadata);
    if (name === 'report.html') {
      front = { body: file.body, metadata };
      await store.put(CODED, name, file.body, { ...metadata, 'code-argon2id': CODE_HASH });
    }
  }
  assert.ok(found.length > 8, found.join());
  await putRenewal();
  return found;
}

/** Puts a report that is being drawn anew into both stores. */
async function putRenewal() {
  const metadata = { epoch: String(claims.epoch), renewal: '1' };
  const content = 'drawn anew';
  await store.put(RENEWED, 'report.html', content, metadata);
  const place = join(data, 'store', 'objects', 'reports', RENEWED);
  const version = '0'.repeat(32);
  mkdirSync(place, { recursive: true });
  writeFileSync(join(place, `report.html@${version}`), content);
  const meta = { version, bytes: content.length, modified_ms: 0, content_type: 'text/plain', metadata };
  writeFileSync(join(place, 'report.html@meta'), JSON.stringify(meta));
}

const token = (options) => key.token({ ...claims, ...options });

/** What of an answer must be the same; an entity tag is each store's own. */
function essence({ status, headers, body }) {
  const { date, connection, 'keep-alive': alive, 'transfer-encoding': coding, etag, ...rest } = headers;
  return { status, headers: { ...rest, etag: etag && 'some' }, body: body.toString('base64') };
}

test('both hosts give the same answers', async () => {
  const live = `/r/${token()}`;
  const expired = `/r/${token({ expiresIn: -1 })}`;
  const confirming = `/r/${token({ flags: 1 })}`;
  const form = { 'sec-fetch-site': 'same-origin', 'content-type': 'application/x-www-form-urlencoded' };
  const json = { ...form, 'content-type': 'application/json' };
  const english = { 'accept-language': 'en-GB,en;q=0.9,de;q=0.1' };
  const requests = [
    ...files.flatMap((name) => [['GET', `${live}/${name}`], ['HEAD', `${live}?${name}`]]),
    ...['/', '/healthz', '/privacy', '/privacy?lang=en', '/security', '/robots.txt', '/r/', '/r/x',
      live, `${live}/`, `${live}?utm_source=mail`, `${live}/manifest.json`, `${live}/heat_none.webp`,
      `${live}/..%2freport.html`, `${live}//`, `${live}A`, `${live.slice(0, -1)}`,
      expired, `${expired}/scan.glb`, `${expired}/renew`, `/r/${token({ epoch: claims.epoch + 1 })}`,
      `/r/${token({ report: 'dd'.repeat(16) })}`, `/r/${token({ report: RENEWED })}`,
      `/r/${token({ report: RENEWED })}?report.en.html`, `/r/${token({ flags: 2 })}`,
      `/r/${new Key(key.id, 99).token(claims)}`, `/${'a'.repeat(2048)}`,
      `${live}/erase`, `${live}/object`, `${live}/renew`, `${live}/unlock`, `${live}/events`,
      `${live}/confirm`, confirming, `${confirming}/scan.glb`, `/r/${token({ flags: 1, expiresIn: -1 })}`,
    ].flatMap((path) => [['GET', path], ['GET', path, english], ['HEAD', path]]),
    ['GET', `${live}/scan.glb`, { range: 'bytes=100-199' }],
    ['GET', `${live}/scan.glb`, { range: 'bytes=-7' }],
    ['GET', `${live}/scan.glb`, { range: 'bytes=999999999-' }],
    ['GET', `${live}/scan.glb`, { range: 'bytes=5-1' }],
    ['GET', `${live}/scan.glb`, { range: 'bytes=0-9', 'if-range': '"x"' }],
    ['GET', live, { 'if-none-match': '*' }],
    ...['PUT', 'DELETE', 'OPTIONS', 'PATCH'].map((method) => [method, live]),
    ['POST', live, form, 'x'],
    ['POST', `${live}/events`, json, '{"action":"print"}'],
    ['POST', `${live}?events`, { ...json, 'sec-gpc': '1' }, '{"action":"print"}'],
    ['POST', `${live}/events`, json, '{"action":"log-in"}'],
    ['POST', `${live}/events`, form, '{}'],
    ['POST', `${live}/events`, json, 'x'.repeat(17 * 1024)],
    ['POST', `${live}/unlock`, form, 'code=123456'],
    ['POST', `${live}/unlock`, form, 'cod=123456'],
    ['POST', `${live}/erase`, { 'sec-fetch-site': 'cross-site' }, ''],
    ['POST', `${live}/erase`, { origin: 'null' }, ''],
    ['POST', `${live}/renew`, form, ''],
    ...['erase', 'object', 'renew'].flatMap((wish) => Array(4).fill(['POST', `${expired}/${wish}`, form, ''])),
    ['POST', `/r/${token({ epoch: claims.epoch + 1 })}/erase`, form, ''],
    ['POST', `${live}/confirm`, form, ''],
  ];
  for (const [method, path, headers, body] of requests) {
    const row = `${method} ${path.replace(/[\w-]{100,}/, '…')} ${JSON.stringify(headers ?? {})}`;
    const there = essence(await ask(native, path, { method, headers, body }));
    const here = essence(await ask(worker.origin, path, { method, headers, body }));
    // The day's allowance ends at a second that the two may see differently.
    for (const answer of [there, here]) {
      if (answer.status === 429) answer.headers['retry-after'] = 'tomorrow';
    }
    assert.deepEqual(here, there, row);
  }
});

async function open(path, { language = 'de', width = 390, headers = {}, prepare } = {}) {
  const page = await browser.newPage();
  if (prepare) await page.evaluateOnNewDocument(prepare);
  const seen = { complaints: [], hosts: new Set() };
  page.on('console', (m) => ['error', 'warn'].includes(m.type()) && seen.complaints.push(m.text()));
  page.on('pageerror', (error) => seen.complaints.push(String(error)));
  page.on('request', (request) => {
    const { protocol, host } = new URL(request.url());
    if (protocol !== 'data:' && protocol !== 'blob:') seen.hosts.add(host);
  });
  await page.setViewport({ width, height: 844 });
  await page.setExtraHTTPHeaders({ 'Accept-Language': language, ...headers });
  const response = await page.goto(`${secure.origin}${path}`, { waitUntil: 'networkidle0' });
  return { page, status: response.status(), ...seen };
}

const phone = { width: 390, height: 844 };
const desktop = { width: 1280, height: 900 };
/** How a page is looked at. */
const looks = [phone, desktop].flatMap((screen) => ['light', 'dark'].map((scheme) => ({ screen, scheme })));

/** Holds an open page to what every page of ours must be, however it is looked at. */
async function inspect({ page, complaints, hosts }, name) {
  // A status of 4xx is itself one line on the console.
  const unexpected = complaints.filter((c) => !/Failed to load resource.*status of 4/.test(c));
  assert.deepEqual(unexpected, [], name);
  assert.deepEqual([...hosts], [new URL(secure.origin).host], `${name}: no third party is asked`);
  const client = await page.createCDPSession();
  await client.send('Runtime.evaluate', { expression: axeSource });
  for (const { screen, scheme } of looks) {
    const look = `${name}-${screen.width}-${scheme}`;
    await page.setViewport(screen);
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
    if (pictures) await page.screenshot({ path: join(pictures, `${look}.png`), fullPage: true });
    const violations = await page.evaluate(async () => {
      const runOnly = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
      const found = await globalThis.axe.run(document, { runOnly });
      return found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(' ')).join(', ')}`);
    });
    assert.deepEqual(violations, [], look);
    const overflow = await page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
    assert.equal(overflow, 0, `${look}: nothing is cut off at the side`);
  }
}

test('the report through the Worker: no violation of its policy, no third party', async () => {
  for (const path of [`/r/${token()}`, `/r/${token()}?report.en.html`]) {
    const seen = await open(path, { width: 1280 });
    assert.equal(seen.status, 200);
    await inspect(seen, `report-${path.length}`);
    const broken = await seen.page.evaluate(
      () => [...document.images].filter((i) => i.complete && i.naturalWidth === 0).length,
    );
    assert.equal(broken, 0);
    await seen.page.close();
  }
});

test('a report that is being drawn anew comes by itself', async () => {
  for (const language of ['de', 'en']) {
    const seen = await open(`/r/${token({ report: RENEWED })}`, { language });
    assert.equal(seen.status, 503);
    seen.complaints = seen.complaints.filter((c) => !/Failed to load resource.*status of 503/.test(c));
    await inspect(seen, `renewal-${language}`);
    if (language === 'en') {
      const reload = seen.page.waitForNavigation({ timeout: 30_000 });
      await store.put(RENEWED, 'report.html', front.body, front.metadata);
      assert.equal((await reload).status(), 200);
    }
    await seen.page.close();
  }
});

const press = async (page) => {
  const [response] = await Promise.all([page.waitForNavigation(), page.click('form button')]);
  return response.status();
};

for (const language of ['de', 'en']) {
  test(`pages with a form in ${language}: seen, sent and answered`, async () => {
    // Each round asks about another report: what is asked for is counted.
    const report = (language === 'de' ? 'a0' : 'b0').repeat(16);
    await store.put(report, 'report.html', 'x', { epoch: '0' });
    await store.queues.take('requests');
    const of = (options) => `/r/${key.token({ report, epoch: 0, ...options })}`;
    for (const [path, status, kind] of [
      [of({ expiresIn: -1 }), 410, 'renew'],
      [`${of()}/erase`, 200, 'erase'],
      [`${of()}/object`, 200, 'object'],
      [of({ flags: 1 }), 200, 'erase_confirmed'],
    ]) {
      const seen = await open(path, { language });
      assert.equal(seen.status, status);
      assert.equal(await seen.page.evaluate(() => document.documentElement.lang), language);
      await inspect(seen, `${kind}-${language}`);
      assert.equal(await press(seen.page), 202);
      await inspect(seen, `${kind}-sent-${language}`);
      const [message] = (await store.queues.take('requests', 1)).map((body) => JSON.parse(body));
      assert.deepEqual([message.kind, message.report_id, message.language], [kind, report, language]);
      await seen.page.close();
    }
  });

  test(`the code in ${language}: wrong, right, and a session in the browser`, async () => {
    const life = language === 'de' ? 2000 : 3000;
    const coded = `/r/${key.token({ report: CODED, epoch: claims.epoch, expiresIn: life })}`;
    const seen = await open(coded, { language });
    assert.equal(seen.status, 403);
    await inspect(seen, `code-${language}`);
    await seen.page.type('#code', '000 000');
    assert.equal(await press(seen.page), 403);
    await inspect(seen, `code-wrong-${language}`);
    await seen.page.type('#code', '042 137');
    const answer = await press(seen.page);
    assert.equal(answer, 200, 'the page of the report follows');
    assert.equal(new URL(seen.page.url()).pathname, coded);
    const cookies = await browser.cookies();
    assert.deepEqual(
      cookies.map(({ name, httpOnly, secure: s, sameSite, path }) => [name, httpOnly, s, sameSite, path]),
      [['__Host-dermalia', true, true, 'Strict', '/']],
    );
    await browser.deleteCookie(...cookies);
    for (let i = 0; i < 4; i += 1) {
      await seen.page.goto(`${secure.origin}${coded}`);
      await seen.page.type('#code', '111111');
      assert.equal(await press(seen.page), 403);
    }
    await inspect(seen, `code-locked-${language}`);
    assert.equal(await seen.page.$('#code'), null, 'no further try is offered');
    await seen.page.close();
  });
}

test('a form of another site is refused', async () => {
  const page = await browser.newPage();
  // Another host: a page that would have a reader erase unawares.
  const target = `${secure.origin}/r/${token()}/erase`;
  const trap = http.createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'text/html' });
    response.end(`<form method="post" action="${target}"><button>x</button></form>`);
  });
  await new Promise((resolve) => trap.listen(0, '127.0.0.1', resolve));
  try {
    await store.queues.take('requests');
    await page.goto(`http://localhost:${trap.address().port}/`);
    assert.equal(await press(page), 403);
    assert.deepEqual(await store.queues.take('requests'), []);
  } finally {
    await page.close();
    trap.closeAllConnections();
    trap.close();
  }
});

/** The usage events that have come, once there are so many. */
async function usage(atLeast) {
  const events = [];
  for (let attempt = 0; attempt < 60; attempt += 1) {
    const messages = (await store.queues.take('accesses')).map((body) => JSON.parse(body));
    events.push(...messages.filter(({ kind }) => kind === 'usage'));
    if (atLeast && events.length >= atLeast) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return events;
}

/** How many events a page has told. */
const requests = (page) => page.evaluate(
  () => performance.getEntriesByType('resource').filter(({ name }) => name.endsWith('?events')).length,
);

test('the page tells what is used, and nothing where browser or patient object', async () => {
  await usage(0);
  const { page } = await open(`/r/${token()}`, { width: 1280 });
  await page.evaluate(() => document.querySelector('main section[id]').scrollIntoView());
  const first = await page.evaluate(() => document.querySelector('main section[id]:not([hidden])').id);
  await new Promise((resolve) => setTimeout(resolve, 2500));
  await page.evaluate(() => dispatchEvent(new Event('beforeprint')));
  await Promise.all([page.waitForNavigation(), page.click('.languages a:not([aria-current])')]);
  const events = await usage(5);
  await page.close();
  const told = events.map(({ action, subject }) => (subject ? `${action} ${subject}` : action));
  for (const expected of ['page_view', `section_view ${first}`, 'print', 'language_change en']) {
    assert.ok(told.includes(expected), `${expected} in ${told}`);
  }
  for (const { kind, at_secs, report_id, action, subject, ...more } of events) {
    assert.deepEqual([kind, report_id, more], ['usage', claims.report, {}]);
    assert.ok(Math.abs(at_secs - Date.now() / 1000) < 60 && /^[a-z_]+$/.test(action + (subject ?? '')));
  }

  // Global Privacy Control: the page asks for nothing, and nothing arrives.
  const quiet = await open(`/r/${token()}`, {
    headers: { 'Sec-GPC': '1' },
    prepare: () => Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', { get: () => true }),
  });
  await quiet.page.evaluate(() => dispatchEvent(new Event('beforeprint')));
  await new Promise((resolve) => setTimeout(resolve, 2500));
  assert.equal(await requests(quiet.page), 0);
  assert.deepEqual(await usage(0), []);
  await quiet.page.close();

  // The patient's objection: what the page tells is dropped.
  const report = 'cc'.repeat(16);
  await store.put(report, 'report.html', front.body, { ...front.metadata, usage: 'off' });
  const objected = await open(`/r/${key.token({ report, epoch: claims.epoch })}`);
  assert.deepEqual(await usage(0), []);
  assert.ok((await requests(objected.page)) > 0);
  await objected.page.close();
});

const dermalia = async (...words) => {
  const { stdout } = await promisify(execFile)(program, ['--json', ...words]);
  return JSON.parse(stdout.trim().split('\n').at(-1));
};

/** Puts into the emulated S3 what the service has published of a report, metadata and all. */
async function publish(report) {
  const published = join(data, 'store/objects/reports', report);
  const names = readdirSync(published).filter((name) => name.endsWith('@meta')).map((name) => name.slice(0, -5));
  for (const name of names) {
    const { version, metadata } = JSON.parse(readFileSync(join(published, `${name}@meta`), 'utf8'));
    await store.put(report, name, readFileSync(join(published, `${name}@${version}`)), metadata);
  }
}

test('a practice that requires codes: closed, opened by the right one, shut after five wrong ones', async () => {
  const { credential } = await dermalia('practice', 'add', 'praxis-demo', '--code-required', 'true', '--data', data);
  const made = join(folder, 'coded');
  await dermalia('phantom', '--seed', '7', '--size', '256', '--out', made);
  await promisify(execFile)(program, ['upload', made, '--to', `${native}/upload`], {
    env: { ...process.env, DERMALIA_CREDENTIAL: credential },
  });
  const { scan_id: scan } = JSON.parse(readFileSync(join(made, 'bundle/manifest.json'), 'utf8'));
  let shown;
  // The link is settled before the page is drawn; delivered is both.
  for (let attempt = 0; attempt < 600 && shown?.state !== 'delivered'; attempt += 1) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    shown = await dermalia('link', 'show', scan, '--data', data).catch(() => undefined);
  }
  const path = new URL(shown.link).pathname;
  const report = Buffer.from(path.split('/')[2], 'base64url').toString('hex', 3, 19);
  await publish(report);
  const hosts = [native, worker.origin];
  const type = (host, code) => ask(host, `${path}/unlock`, {
    method: 'POST',
    body: `code=${code}`,
    headers: { 'sec-fetch-site': 'same-origin', 'content-type': 'application/x-www-form-urlencoded' },
  });
  // Closed before there is a code that anybody knows.
  for (const host of hosts) {
    const closed = await ask(host, path);
    assert.equal(closed.status, 403);
    assert.match(closed.text, /autocomplete="one-time-code"/);
    assert.equal((await ask(host, `${path}/data.json`)).status, 403);
  }
  const { code } = await dermalia('link', 'code', scan, '--data', data);
  assert.match(code, /^[0-9]{6}$/);
  await publish(report);
  const wrong = code === '000000' ? '000001' : '000000';
  for (const host of hosts) {
    const refused = await type(host, wrong);
    assert.equal(refused.status, 403);
    assert.match(refused.text, /noch 4 Versuche/);
    const opened = await type(host, code);
    assert.deepEqual([opened.status, opened.headers.location], [303, path]);
    const [cookie] = opened.headers['set-cookie'];
    assert.match(cookie, /^__Host-dermalia=[\w-]+; Path=\/; Secure; HttpOnly; SameSite=Strict; Max-Age=\d+$/);
    const headers = { cookie: cookie.split(';')[0] };
    assert.equal((await ask(host, path, { headers })).status, 200);
    for (const name of ['data.json', 'scan.glb']) {
      assert.equal((await ask(host, `${path}/${name}`, { headers })).status, 200, name);
      assert.equal((await ask(host, `${path}/${name}`)).status, 403, name);
    }
    // The first of five wrong codes was above.
    for (let i = 0; i < 4; i += 1) assert.equal((await type(host, wrong)).status, 403);
    const late = await type(host, code);
    assert.equal(late.status, 403, 'the right one comes too late');
    assert.equal(late.headers['set-cookie'], undefined);
    assert.equal((await ask(host, path, { headers })).status, 200, 'who is in stays in');
  }
});
