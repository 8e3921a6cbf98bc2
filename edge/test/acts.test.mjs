// What readers do beyond reading, in workerd: messages reach the emulated SQS
// signed, codes are counted in a Durable Object, and reading counts nothing.
import assert from 'node:assert/strict';
import http from 'node:http';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { ask, startStore, startWorker } from './cloud.mjs';
import { Key } from './links.mjs';

const REPORT = '000102030405060708090a0b0c0d0e0f';
const PAGE = '<!doctype html><html lang="de"><head><title>x</title></head><body>Bericht</body></html>';
// The hash of the code 042137 for this report, as argon2-cffi computes it.
const CODE_HASH = 'AwMDAwMDAwMDAwMDAwMDAw.NiBDZjpEEfuFrYw91EpIiQRarZgxXRrzHAep9hImY_M';

const signing = new Key(1, 11);
let store;
let worker;

before(async () => {
  store = await startStore();
  worker = await startWorker(store, [signing]);
});

after(async () => {
  await worker?.stop();
  await store?.stop();
});

let reports = 0;
/** A report of its own for a test: counts are kept by report. */
async function report(metadata = {}) {
  reports += 1;
  const id = reports.toString(16).padStart(32, '0');
  await store.put(id, 'report.html', PAGE, { epoch: '7', ...metadata });
  return { id, link: (options) => `/r/${signing.token({ report: id, epoch: 7, ...options })}` };
}

const post = (path, body = '', headers = {}) =>
  ask(worker.origin, path, {
    method: 'POST',
    body,
    headers: { 'sec-fetch-site': 'same-origin', ...headers },
  });
const event = (path, value, headers) =>
  post(path, JSON.stringify(value), { 'content-type': 'application/json', ...headers });
const type = (path, code) =>
  post(path, `code=${code}`, { 'content-type': 'application/x-www-form-urlencoded' });
const taken = async (queue, atLeast) =>
  (await store.queues.take(queue, atLeast)).map((body) => JSON.parse(body));

test('a served page leaves the record of an access, and nothing else does', async () => {
  await taken('accesses');
  const { id, link } = await report();
  const path = link();
  const headers = {
    'cf-connecting-ip': '203.0.113.77',
    'user-agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0',
  };
  assert.equal((await ask(worker.origin, path, { headers })).status, 200);
  const [record] = await taken('accesses', 1);
  assert.ok(Math.abs(record.at_secs - Date.now() / 1000) < 60);
  assert.deepEqual(record, {
    kind: 'access',
    at_secs: record.at_secs,
    report_id: id,
    network: '203.0.113.0/24',
    browser: 'firefox',
    device: 'desktop',
  });
  for (const [method, other] of [['HEAD', path], ['GET', `${path}/erase`], ['GET', '/privacy']]) {
    assert.equal((await ask(worker.origin, other, { method, headers })).status, 200);
  }
  // Records are sent after the answer, several at a time.
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.deepEqual(await taken('accesses'), []);
  assert.deepEqual(await taken('requests'), []);
});

test('fifty pages at once leave fifty records', async () => {
  await taken('accesses');
  const { id, link } = await report();
  const pages = await Promise.all(Array.from({ length: 50 }, () => ask(worker.origin, link())));
  assert.ok(pages.every(({ status }) => status === 200));
  const records = await taken('accesses', 50);
  assert.equal(records.length, 50);
  assert.ok(records.every((record) => record.kind === 'access' && record.report_id === id));
});

test('usage events arrive unless the reader objects', async () => {
  const { id, link } = await report();
  const objected = await report({ usage: 'off' });
  const value = { action: 'map_view', subject: 'redness' };
  assert.equal((await event(`${link()}/events`, value, { 'sec-gpc': '1' })).status, 204);
  assert.equal((await event(`${objected.link()}/events`, value)).status, 204);
  const answer = await event(`${link()}?events`, value);
  assert.equal(answer.status, 204);
  assert.equal(answer.body.length, 0);
  const [message, ...more] = await taken('accesses', 1);
  assert.deepEqual(more, []);
  assert.deepEqual(message, { kind: 'usage', at_secs: message.at_secs, report_id: id, ...value });
});

test('an expired link asks for a new one, three times a day', async () => {
  const { id, link } = await report();
  const expired = link({ expiresIn: -1 });
  const page = await ask(worker.origin, expired);
  assert.equal(page.status, 410);
  assert.ok(page.text.includes(`action="${expired}/renew?lang=de"`));
  const statuses = [];
  for (let i = 0; i < 4; i += 1) statuses.push((await post(`${expired}/renew?lang=en`)).status);
  assert.deepEqual(statuses, [202, 202, 202, 429]);
  const messages = await taken('requests', 3);
  assert.equal(messages.length, 3);
  const { at_secs } = messages[0];
  assert.deepEqual(messages[0], { kind: 'renew', at_secs, report_id: id, epoch: 7, language: 'en' });
  const often = await post(`${expired}/renew`);
  assert.ok(Number(often.headers['retry-after']) > 80_000);
  // A link that still opens needs none.
  const live = await post(`${link()}/renew`);
  assert.equal(live.status, 303);
});

test('erasure and objection reach the cloud, from an expired link too', async () => {
  const { id, link } = await report();
  for (const path of [link(), link({ expiresIn: -1 })]) {
    for (const kind of ['erase', 'object']) {
      const form = await ask(worker.origin, `${path}/${kind}`);
      assert.equal(form.status, 200);
      assert.ok(form.text.includes(`<form method="post" action="${path}/${kind}?lang=de">`));
      assert.equal((await post(`${path}/${kind}`)).status, 202);
      const [message] = await taken('requests', 1);
      assert.deepEqual([message.kind, message.report_id], [kind, id]);
    }
  }
  const confirming = link({ flags: 1 });
  const page = await ask(worker.origin, confirming);
  assert.equal(page.status, 200);
  assert.ok(page.text.includes(`action="${confirming}/confirm?lang=de"`));
  assert.equal((await post(`${confirming}/confirm`)).status, 202);
  assert.equal((await taken('requests', 1))[0].kind, 'erase_confirmed');
});

test('a revoked or erased report takes nothing', async () => {
  const { link } = await report();
  const gone = signing.token({ report: 'dd'.repeat(16), epoch: 7 });
  for (const name of ['erase', 'object']) {
    assert.equal((await post(`${link({ epoch: 6 })}/${name}`)).status, 410);
    assert.equal((await post(`/r/${gone}/${name}`)).status, 410);
  }
  assert.deepEqual(await taken('requests'), []);
});

test('what the queue does not take is 503 and does not count', async () => {
  const { link } = await report();
  store.queues.open(false);
  for (let i = 0; i < 4; i += 1) {
    const answer = await post(`${link()}/erase`);
    assert.equal(answer.status, 503);
    assert.equal(answer.headers['retry-after'], '30');
  }
  // The report itself does not wait for its record.
  assert.equal((await ask(worker.origin, link())).status, 200);
  store.queues.open(true);
  assert.equal((await post(`${link()}/erase`)).status, 202);
  assert.equal((await taken('requests', 1)).length, 1);
  assert.deepEqual(store.queues.refused, []);
});

test('a code opens the report for one session', async () => {
  await store.put(REPORT, 'report.html', PAGE, { epoch: '7', 'code-argon2id': CODE_HASH });
  await store.put(REPORT, 'scan.glb', 'glTF', { epoch: '7', 'code-argon2id': CODE_HASH });
  const path = `/r/${signing.token({ report: REPORT, epoch: 7 })}`;
  for (const file of ['', '/scan.glb']) {
    const locked = await ask(worker.origin, `${path}${file}`);
    assert.equal(locked.status, 403);
    assert.ok(!locked.text.includes('Bericht</body>'));
    assert.match(locked.text, /autocomplete="one-time-code"/);
  }
  const wrong = await type(`${path}/unlock`, '042138');
  assert.equal(wrong.status, 403);
  assert.match(wrong.text, /noch 4 Versuche/);
  for (let i = 0; i < 6; i += 1) {
    const right = await type(`${path}/unlock`, '042+137');
    assert.equal(right.status, 303, 'a right code does not count');
    assert.equal(right.headers.location, path);
    const [cookie] = right.headers['set-cookie'];
    assert.match(
      cookie,
      /^__Host-dermalia=[\w-]{50}; Path=\/; Secure; HttpOnly; SameSite=Strict; Max-Age=(3600|3[0-9]{3})$/,
    );
    const headers = { cookie: cookie.split(';')[0] };
    assert.equal((await ask(worker.origin, path, { headers })).text, PAGE);
    assert.equal((await ask(worker.origin, `${path}/scan.glb`, { headers })).text, 'glTF');
  }
});

test('twenty wrong codes at once are five, and the right one comes too late', async () => {
  await store.put(REPORT, 'report.html', PAGE, { epoch: '8', 'code-argon2id': CODE_HASH });
  const path = `/r/${signing.token({ report: REPORT, epoch: 8, expiresIn: 1234 })}/unlock`;
  const tries = await Promise.all(Array.from({ length: 20 }, () => type(path, '000000')));
  assert.ok(tries.every(({ status }) => status === 403));
  const saysLeft = tries.filter(({ text }) => /noch \d Versuche|Ein Versuch/.test(text)).length;
  assert.equal(saysLeft, 4, 'four are told how many are left, the fifth and all others that none is');
  const right = await type(path, '042137');
  assert.equal(right.status, 403);
  assert.equal(right.headers['set-cookie'], undefined);
  // A new link has its own five.
  const renewed = `/r/${signing.token({ report: REPORT, epoch: 8, expiresIn: 4321 })}/unlock`;
  assert.equal((await type(renewed, '042137')).status, 303);
});

test('without its counter nothing is granted', async () => {
  const { link } = await report();
  const lame = await startWorker(store, [signing], {}, { durableObjects: {} });
  try {
    const headers = { 'sec-fetch-site': 'same-origin' };
    const answer = await ask(lame.origin, `${link()}/erase`, { method: 'POST', headers, body: '' });
    assert.equal(answer.status, 503);
    assert.equal((await ask(lame.origin, link())).status, 200);
  } finally {
    await lame.stop();
  }
});

test('counters are those of the jurisdiction that the configuration names, or none', async () => {
  // The runtime here knows no jurisdictions: this stands for Cloudflare's, and knows one.
  const contents = `
    import Worker, { Tallies } from './index.js';
    class DurableObjectNamespace {
      constructor(inner) { this.inner = inner; }
      jurisdiction(name) {
        if (name !== 'eu') throw new Error('no such jurisdiction');
        return this.inner;
      }
      get getByName() { throw new Error('a counter outside the jurisdiction'); }
    }
    export { Tallies };
    export default {
      fetch: (request, env, context) =>
        new Worker(context, { ...env, TALLIES: new DurableObjectNamespace(env.TALLIES) }).fetch(request),
    };`;
  const headers = { 'sec-fetch-site': 'same-origin' };
  for (const [jurisdiction, status] of [['eu', 202], ['us', 503], ['', 503]]) {
    const { link } = await report();
    const bound = await startWorker(store, [signing], { TALLIES_JURISDICTION: jurisdiction }, {}, contents);
    try {
      const answer = await ask(bound.origin, `${link()}/erase`, { method: 'POST', headers, body: '' });
      assert.equal(answer.status, status, jurisdiction);
    } finally {
      await bound.stop();
    }
  }
  assert.equal((await taken('requests', 1)).length, 1);
});

test('S3 refusing by policy is a fault, an absent object is gone', async () => {
  const denied = (action) =>
    '<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code><Message>' +
    (action
      ? `User: arn:aws:iam::111122223333:user/edge is not authorized to perform: ${action} on resource: ` +
        '"arn:aws:s3:::reports" because no identity-based policy allows the action'
      : 'Access Denied') +
    '</Message></Error>';
  let document;
  const s3 = http.createServer((_, response) => response.writeHead(403).end(document));
  s3.listen(0, '127.0.0.1');
  await once(s3, 'listening');
  const origin = `http://127.0.0.1:${s3.address().port}`;
  const behind = await startWorker({ origin, queues: store.queues }, [signing]);
  try {
    for (const [action, page, file] of [
      ['s3:ListBucket', 410, 404],
      ['s3:GetObject', 503, 503],
      ['kms:Decrypt', 503, 503],
      [undefined, 410, 404],
    ]) {
      document = denied(action);
      const path = `/r/${signing.token({ report: REPORT, epoch: 7 })}`;
      assert.equal((await ask(behind.origin, path)).status, page, action);
      assert.equal((await ask(behind.origin, `${path}/scan.glb`)).status, file, action);
    }
  } finally {
    await behind.stop();
    s3.close();
  }
});
