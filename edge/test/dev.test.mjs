// `wrangler dev` with the configuration that is deployed: it starts, and serves a report.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { BUCKET, ask, freePort, startStore } from './cloud.mjs';
import { Key } from './links.mjs';

const REPORT = '0f0e0d0c0b0a09080706050403020100';

test('the Worker on a developer\'s machine', async () => {
  const store = await startStore();
  const key = new Key(1, 11);
  await store.put(REPORT, 'report.html', '<!doctype html><title>x</title>', { epoch: '0' });
  const port = await freePort();
  const vars = {
    LINK_PUBLIC_KEYS: key.public,
    SESSION_KEY: Buffer.alloc(32, 5).toString('base64url'),
    S3_ENDPOINT: store.origin,
    S3_BUCKET: BUCKET,
    S3_ACCESS_KEY_ID: 'test',
    S3_SECRET_ACCESS_KEY: 'test',
    ACCESS_QUEUE_URL: store.queues.url('accesses'),
    REQUEST_QUEUE_URL: store.queues.url('requests'),
    TALLIES_JURISDICTION: '',
  };
  const wrangler = spawn(
    fileURLToPath(new URL('../node_modules/.bin/wrangler', import.meta.url)),
    ['dev', '--env', 'dev', '--ip', '127.0.0.1', '--port', String(port), '--inspector-port', '0',
      '--show-interactive-dev-session=false',
      ...Object.entries(vars).flatMap(([name, value]) => ['--var', `${name}:${value}`])],
    {
      cwd: fileURLToPath(new URL('..', import.meta.url)),
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      env: { ...process.env, WRANGLER_SEND_METRICS: 'false', DERMALIA_EDGE_BUILT: '1', CI: '1' },
    },
  );
  let said = '';
  for (const stream of [wrangler.stdout, wrangler.stderr]) stream.on('data', (chunk) => { said += chunk; });
  try {
    const origin = `http://127.0.0.1:${port}`;
    let health;
    for (let attempt = 0; attempt < 600 && !health; attempt += 1) {
      assert.equal(wrangler.exitCode, null, said);
      health = await ask(origin, '/healthz').catch(() => undefined);
      if (!health) await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.equal(health?.text, 'ok\n', said);
    const path = `/r/${key.token({ report: REPORT })}`;
    assert.equal((await ask(origin, path)).status, 200, said);
    // With its counter too.
    const headers = { 'sec-fetch-site': 'same-origin' };
    assert.equal((await ask(origin, `${path}/object`, { method: 'POST', headers, body: '' })).status, 202, said);
  } finally {
    // With what it has started.
    process.kill(-wrangler.pid, 'SIGTERM');
    if (wrangler.exitCode === null && wrangler.signalCode === null) await once(wrangler, 'exit');
    await store.stop();
  }
});
