// sharp with the interface of imgpress-bench-codec: the same input lines, the same output lines.
//   node codec_sharp.js QUALITY [mozjpeg]
'use strict';

const fs = require('fs');
const path = require('path');
const readline = require('readline');
const sharp = require('sharp');

const options = { quality: Number(process.argv[2]), mozjpeg: process.argv[3] === 'mozjpeg' };
sharp.concurrency(1);
sharp.cache(false);

async function run(sources, outputs) {
  const names = fs.readdirSync(sources).sort();
  const files = names.map((name) => fs.readFileSync(path.join(sources, name)));
  const results = [];
  const begin = process.cpuUsage();
  for (const file of files) results.push(await sharp(file).jpeg(options).toBuffer());
  const used = process.cpuUsage(begin);
  names.forEach((name, i) => fs.writeFileSync(path.join(outputs, name), results[i]));
  const bytes = results.reduce((sum, result) => sum + result.length, 0);
  console.log([names.length, (used.user + used.system) / 1e6, bytes].join('\t'));
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    await run(...line.split('\t'));
  }
}

main();
