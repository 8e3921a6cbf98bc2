// The model beside those of gltfpack and gltf-transform, made from the same scan:
// `bench.mjs BUNDLE MODEL SECONDS SCRATCH`.
import { spawnSync } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cloneDocument, meshopt, simplify, textureCompress, weld } from '@gltf-transform/functions';
import { MeshoptEncoder, MeshoptSimplifier } from 'meshoptimizer';
import sharp from 'sharp';
import { departure, front, io, psnr, surface, whole } from './scan.mjs';

const [bundle, own, ownSeconds, scratch] = process.argv.slice(2);
await MeshoptSimplifier.ready;

const scan = whole(bundle);
const raw = `${scratch}/raw.glb`;
await io.write(raw, scan);
const reference = await surface(scan);
const limits = [0, 1].map((k) => reference.points.map((p) => p[k]))
  .map((all) => [all.reduce((a, b) => Math.min(a, b)), all.reduce((a, b) => Math.max(a, b))]);
const step = 0.12;
const stage = {
  low: [limits[0][0], limits[1][1]],
  step,
  width: Math.ceil((limits[0][1] - limits[0][0]) / step),
  height: Math.ceil((limits[1][1] - limits[1][0]) / step),
};
const seen = front(reference, stage);
const skin = { encoder: sharp, targetFormat: 'webp', resize: [2048, 2048], quality: 80 };

const timed = async (work) => {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
};

// gltfpack from npm encodes no WebP: the picture is replaced by the one that gltf-transform
// makes, byte for byte.
const small = `${scratch}/small.glb`;
const recode = await timed(async () => {
  const document = cloneDocument(scan);
  await document.transform(textureCompress(skin));
  await io.write(small, document);
});
const program = createRequire(import.meta.url).resolve('gltfpack/cli.js');

// Both are told to keep as many triangles as the product's model has, and a third more:
// with as many, they lie farther from the scan.
const ownTriangles = (await surface(await io.read(own))).index.length / 3;
const lines = [['dermalia', own, Number(ownSeconds)]];
for (const triangles of [ownTriangles, Math.round((ownTriangles * 4) / 3)]) {
  const ratio = Math.min(1, triangles / (reference.index.length / 3));
  const packed = `${scratch}/gltfpack-${triangles}.glb`;
  const pack = await timed(async () => {
    const done = spawnSync(process.execPath, [program, '-i', small, '-o', packed, '-cz', '-ce', 'ext', '-si', String(ratio), '-se', '0.001'],
      { encoding: 'utf8' });
    if (done.status !== 0) throw new Error(done.stderr);
  });
  const transformed = `${scratch}/gltf-transform-${triangles}.glb`;
  const transform = await timed(async () => {
    const document = await io.read(raw);
    await document.transform(weld(), simplify({ simplifier: MeshoptSimplifier, ratio, error: 0.001 }),
      textureCompress(skin), meshopt({ encoder: MeshoptEncoder, level: 'high' }));
    await io.write(transformed, document);
  });
  lines.push(['gltfpack -cz', packed, pack + recode], ['gltf-transform meshopt', transformed, transform]);
}
const rows = [];
for (const [name, file, seconds] of lines) {
  const model = await surface(await io.read(file));
  const [worst, mean] = departure(reference, model);
  rows.push({
    model: name,
    kB: Math.round(statSync(file).size / 1000),
    'skin kB': Math.round(model.bytes / 1000),
    triangles: model.index.length / 3,
    seconds: Number(seconds.toFixed(2)),
    'worst mm': Number(worst.toFixed(3)),
    'mean mm': Number(mean.toFixed(4)),
    'PSNR dB': Number(psnr(seen, front(model, stage)).toFixed(2)),
  });
}
console.table(rows);
writeFileSync(`${scratch}/models.json`, `${JSON.stringify(rows)}\n`);
console.log(`scan: ${reference.index.length / 3} triangles, picture ${reference.picture.width} px, ${readFileSync(raw).length} bytes`);
