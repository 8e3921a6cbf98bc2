// The model beside those of gltfpack and gltf-transform, made from the same scan:
// `bench.mjs BUNDLE MODEL "SECONDS CPU_SECONDS" SCRATCH`. Each of them makes a model with as
// many triangles, and then the smallest one that lies as near to the scan and shows its skin
// as well.
import { spawnSync } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cloneDocument, meshopt, simplify, textureCompress, weld } from '@gltf-transform/functions';
import { MeshoptEncoder, MeshoptSimplifier } from 'meshoptimizer';
import sharp from 'sharp';
import { departure, front, io, psnr, surface, whole } from './scan.mjs';

const [bundle, own, ownTimes, scratch] = process.argv.slice(2);
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
const skin = (quality) => ({ encoder: sharp, targetFormat: 'webp', resize: [2048, 2048], quality });
const start = 80;

const timed = async (work) => {
  const [wall, cpu] = [performance.now(), process.cpuUsage()];
  const child = await work();
  const { user, system } = process.cpuUsage(cpu);
  return [(performance.now() - wall) / 1000, (user + system) / 1e6 + (child ?? 0)];
};
const sum = (...times) => [0, 1].map((k) => times.reduce((all, time) => all + time[k], 0));

// gltfpack from npm encodes no WebP: the picture is replaced by the one that gltf-transform
// makes, byte for byte.
const small = `${scratch}/small.glb`;
const recode = (quality) => timed(async () => {
  const document = cloneDocument(scan);
  await document.transform(textureCompress(skin(quality)));
  await io.write(small, document);
});
const program = createRequire(import.meta.url).resolve('gltfpack/cli.js');
// A child tells its time of processor when it ends.
const teller = `data:text/javascript,${encodeURIComponent(
  'process.on("exit",()=>{const u=process.cpuUsage();process.stderr.write("\\nCPU "+(u.user+u.system)/1e6)})')}`;

const tools = {
  'gltfpack -cz': async (file, ratio, quality) => {
    const recoded = await recode(quality);
    const packed = await timed(() => {
      const done = spawnSync(process.execPath, ['--import', teller, program, '-i', small, '-o', file,
        '-cz', '-ce', 'ext', '-si', String(ratio), '-se', '0.001'], { encoding: 'utf8' });
      if (done.status !== 0) throw new Error(done.stderr);
      return Number(/CPU ([\d.]+)/.exec(done.stderr)[1]);
    });
    return sum(recoded, packed);
  },
  'gltf-transform meshopt': (file, ratio, quality) => timed(async () => {
    const document = await io.read(raw);
    await document.transform(weld(), simplify({ simplifier: MeshoptSimplifier, ratio, error: 0.001 }),
      textureCompress(skin(quality)), meshopt({ encoder: MeshoptEncoder, level: 'high' }));
    await io.write(file, document);
  }),
};

async function measured(name, file, [seconds, cpu]) {
  const model = await surface(await io.read(file));
  const [worst, mean] = departure(reference, model);
  return {
    model: name,
    kB: Math.round(statSync(file).size / 1000),
    'skin kB': Math.round(model.bytes / 1000),
    triangles: model.index.length / 3,
    seconds: Number(seconds.toFixed(2)),
    'CPU seconds': Number(cpu.toFixed(2)),
    'worst mm': Number(worst.toFixed(3)),
    'mean mm': Number(mean.toFixed(4)),
    'PSNR dB': Number(psnr(seen, front(model, stage)).toFixed(2)),
  };
}

const ours = await measured('dermalia', own, ownTimes.split(' ').map(Number));
const rows = [ours];
const all = reference.index.length / 3;
for (const [name, make] of Object.entries(tools)) {
  const file = `${scratch}/${name.split(' ')[0]}.glb`;
  const at = async (triangles, quality) => (
    measured(name, file, await make(file, Math.min(1, triangles / all), quality)));
  const alike = await at(ours.triangles, start);
  // Triangles until it lies as near, to a hundredth of the scan's.
  let [few, enough, row] = [ours.triangles, all, null];
  while (enough - few > all / 100) {
    const middle = Math.round((few + enough) / 2);
    const tried = await at(middle, start);
    if (tried['mean mm'] <= ours['mean mm']) [enough, row] = [middle, tried];
    else few = middle;
  }
  row ??= await at(enough, start);
  // Then quality until its skin is as like.
  for (let quality = start + 2; row['PSNR dB'] < ours['PSNR dB'] && quality <= 100; quality += 2) {
    row = await at(enough, quality);
  }
  rows.push(alike, { ...row, model: `${name}, as good` });
  const good = row['mean mm'] <= ours['mean mm'] && row['PSNR dB'] >= ours['PSNR dB'];
  const times = (key) => `${(row[key] / ours[key]).toFixed(2)} times the`;
  console.log(`${name}: ${good ? 'as good' : 'at its best'}, it takes ${times('kB')} bytes, `
    + `${times('seconds')} time, ${times('CPU seconds')} processor of ours`);
}
console.table(rows);
writeFileSync(`${scratch}/models.json`, `${JSON.stringify(rows)}\n`);
console.log(`scan: ${all} triangles, picture ${reference.picture.width} px, ${readFileSync(raw).length} bytes`);
