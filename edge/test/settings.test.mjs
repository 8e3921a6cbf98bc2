// What is deployed beside the code: the zone's settings and the Worker's configuration.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const read = (path) => readFileSync(new URL(path, import.meta.url), 'utf8');

test('the zone takes TLS 1.3 alone and puts nothing into our pages', () => {
  const zone = JSON.parse(read('../../infra/cloudflare.json'));
  assert.equal(zone.min_tls_version, '1.3');
  assert.equal(zone.tls_1_3, 'on');
  assert.equal(zone.always_use_https, 'on');
  // A request that is replayed could be a request that somebody made before.
  assert.equal(zone['0rtt'], 'off');
  // These write scripts into pages, or cookies beside ours.
  for (const name of ['email_obfuscation', 'rocket_loader', 'server_side_exclude', 'browser_check']) {
    assert.equal(zone[name], 'off', name);
  }
});

test('each stage has its counter in the European Union, and no secret in the file', () => {
  const stages = read('../wrangler.toml').split(/^\[env\.(?=\w+\]$)/m).slice(1);
  assert.deepEqual(stages.map((text) => text.match(/^\w+/)[0]).sort(), ['dev', 'prod']);
  for (const text of stages) {
    const own = text.split(/^\[(?!\[?env\.)/m)[0];
    assert.match(own, /^TALLIES_JURISDICTION = "eu"$/m);
    assert.match(own, /^class_name = "Tallies"$/m);
    assert.match(own, /^name = "RATE_LIMITER"$/m);
    assert.match(own, /^S3_REGION = "eu-central-1"$/m);
    assert.doesNotMatch(own, /^(LINK_PUBLIC_KEYS|SESSION_KEY|S3_\w*KEY\w*|\w+_QUEUE_URL)/m);
  }
});
