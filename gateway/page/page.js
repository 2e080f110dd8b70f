'use strict';
const $ = (id) => document.getElementById(id);
const form = $('form'), drop = $('drop'), body = $('results').tBodies[0];
const kMostRows = 500;
let turn = 0;  // counts uploads: only the latest is followed

function element(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

// Where a fault is: a line and column of the CSV, or another field that the message does not name.
function placeOf({ line, column, field, message }) {
  const other = field !== 'file' && !message.includes(field) && field;
  return [line && 'Line ' + line, column || other].filter(Boolean).join(', ');
}

function showFaults({ message, hint, details }) {
  $('faults').append(element('p', message));
  if (hint) $('faults').append(element('p', hint));
  const list = document.createElement('ul');
  for (const fault of details || []) {  // PostgreSQL lists a thousand at most
    if (fault.message === message) continue;
    const place = placeOf(fault);
    list.append(element('li', (place ? place + ': ' : '') + fault.message));
  }
  $('faults').append(list);
  $('faults').hidden = false;
}

function showIgnored(columns) {
  $('ignored').textContent = 'Columns that are not used: ' + columns.join(', ');
  $('ignored').hidden = columns.length === 0;
}

// URLs may contain commas: a comma separates two images only if a URL or the error text follows.
function imagesOf(list) {
  return list ? list.split(/,(?=https?:\/\/|Error processing image(?:,|$))/) : [];
}

const kFailed = 'Error processing image';

// The file name in an output's URL, decoded.
function nameOf(url) {
  const name = url.split('?')[0].split('/').pop();
  try {
    return decodeURIComponent(name);
  } catch {
    return name;  // its bytes are not UTF-8
  }
}

function failuresOf(product) {
  return imagesOf(product.output_image_urls).filter((image) => image === kFailed).length;
}

// The products to show, and a sentence about all of them. If there are too many to show, those with
// failures come first.
function summaryOf(products) {
  const failed = products.reduce((sum, product) => sum + failuresOf(product), 0);
  const faulty = products.filter((product) => failuresOf(product) > 0);
  const all = products.length <= kMostRows;
  const shown = all ? products
      : [...faulty, ...products.filter((product) => failuresOf(product) === 0)].slice(0, kMostRows);
  let text = '';
  if (failed) {
    text += ` ${failed} ${failed === 1 ? 'image' : 'images'} failed, in ${faulty.length} of ` +
        `${products.length} products.`;
  }
  if (!all) text += ` ${kMostRows} of ${products.length} products${failed ? ', failures first' : ''}:`;
  return { shown, text };
}

function showProducts(products) {
  const { shown, text } = summaryOf(products);
  for (const product of shown) {
    const row = body.insertRow();
    row.insertCell().textContent = product.serial_number;
    row.insertCell().textContent = product.product_name;
    const cell = row.insertCell();
    for (const url of imagesOf(product.output_image_urls)) {
      const item = element(/^https?:\/\//.test(url) ? 'a' : 'span', nameOf(url));
      if (item.tagName === 'A') item.href = url;
      if (url === kFailed) item.className = 'failed';
      cell.append(item, document.createElement('br'));
    }
  }
  $('results').hidden = false;
  return text;
}

const keyForm = $('key-form');
const kKey = 'imgpress-key';  // in sessionStorage, which other tabs and later visits don't have

// Shows the field for a key; ends when one was entered. Nothing can be uploaded meanwhile, or it
// would be uploaded twice.
async function askForKey() {
  const upload = form.querySelector('button');
  const refused = sessionStorage.getItem(kKey) !== null;
  $('key-note').textContent = refused ? 'This key is not valid.' : 'This server asks for a key.';
  upload.disabled = true;
  keyForm.hidden = false;
  keyForm.elements.key.focus();
  await new Promise((resume) => keyForm.addEventListener('submit', (event) => {
    event.preventDefault();
    resume();
  }, { once: true }));
  sessionStorage.setItem(kKey, keyForm.elements.key.value.trim());
  keyForm.reset();
  keyForm.hidden = true;
  upload.disabled = false;
}

function keyHeader() {
  const key = sessionStorage.getItem(kKey);
  // A header can hold nothing else; such a key is refused by the server as any other that is wrong.
  return key === null ? {} : { Authorization: 'Bearer ' + key.replace(/[^\x21-\x7e]/g, '?') };
}

// The answer's JSON. Throws an Error with the hint and details of a refusal.
async function fetchJson(path, options) {
  let response = await fetch(path, { ...options, headers: keyHeader() });
  while (response.status === 401) {
    await askForKey();
    response = await fetch(path, { ...options, headers: keyHeader() });
  }
  if (response.ok) return response.json();
  const { error, hint, details } = await response.json().catch(() => ({}));  // a proxy may send HTML
  const problem = new Error(error || `The server answered with status ${response.status}.`);
  throw Object.assign(problem, { hint, details, refused: response.status < 500 });
}

async function follow(id, mine) {
  for (;;) {
    const { status } = await fetchJson(`api/status/${id}/`);
    if (mine !== turn) return;
    $('status').textContent = `Request ${id}: ${status}.`;
    if (status === 'Completed' || status === 'Failed') break;
    await new Promise((resume) => setTimeout(resume, 1000));
  }
  const { products } = await fetchJson(`api/products/${id}/`);
  if (mine === turn) $('status').textContent += showProducts(products);
}

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const mine = ++turn;
  let stored = false;
  $('faults').hidden = $('results').hidden = true;
  $('faults').replaceChildren();
  showIgnored([]);
  body.replaceChildren();
  $('status').textContent = 'Uploading…';
  try {
    const answer = await fetchJson('api/upload/', { method: 'POST', body: new FormData(form) });
    showIgnored(answer.ignored_columns || []);
    stored = true;
    await follow(answer.request_id, mine);
  } catch (problem) {
    if (mine !== turn) return;
    if (!stored) $('status').textContent = problem.refused ? 'Nothing was stored.' : '';
    showFaults(problem);
  }
});

for (const kind of ['dragenter', 'dragover', 'dragleave', 'drop']) {
  drop.addEventListener(kind, (event) => {
    event.preventDefault();
    drop.classList.toggle('over', kind === 'dragenter' || kind === 'dragover');
    if (kind === 'drop') form.elements.file.files = event.dataTransfer.files;
  });
}
