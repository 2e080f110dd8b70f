#include "page.hpp"

#include <sys/random.h>

#include <array>
#include <stdexcept>
#include <string>

namespace imgpress::gateway {
namespace {

// NONCE stands for a random value that each answer replaces: the browser accepts only the script
// and the style sheet that carry it, and nothing that was injected.
constexpr const char* kPage = R"html(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>imgpress</title>
<link rel="icon" href="data:,">
<style nonce="NONCE">
  :root { color-scheme: light dark; --line: #8888; --accent: #0a7a5c; }
  body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
  #drop { display: block; border: 2px dashed var(--line); border-radius: .5rem; padding: 2rem; text-align: center; }
  #drop.over, #drop:focus-within { border-color: var(--accent); }
  fieldset { border: 0; padding: 0; margin: 1rem 0; display: flex; gap: 1rem; flex-wrap: wrap; }
  input[type=url] { min-width: 20rem; }
  button { font: inherit; padding: .4rem 1.2rem; }
  [role=alert] { border-left: .3rem solid #b3261e; padding-left: .8rem; }
  table { border-collapse: collapse; width: 100%; }
  th, td { border-bottom: 1px solid var(--line); padding: .3rem .5rem; text-align: left; vertical-align: top; }
  td { overflow-wrap: anywhere; }
  .failed { color: #b3261e; }
</style>
</head>
<body>
<h1>imgpress</h1>
<p>A CSV with the columns <i>S. No.</i>, <i>Product Name</i> and <i>Input Image Urls</i> goes in;
compressed images come out.</p>
<form id="form">
  <label id="drop">Drop a CSV here, or choose one:
    <input type="file" name="file" accept=".csv,text/csv" required></label>
  <fieldset>
    <label>Quality <input type="number" name="quality" placeholder="as set"></label>
    <label>Effort <select name="effort">
      <option value="">as set on the server<option>fast<option>balanced<option>small</select></label>
    <label>Webhook <input type="url" name="webhook_url" placeholder="https://… (optional)"></label>
    <button>Upload</button>
  </fieldset>
</form>
<p id="status" role="status"></p>
<p id="ignored" hidden></p>
<div id="faults" role="alert" hidden></div>
<table id="results" hidden>
  <thead><tr><th>No.<th>Product<th>Images</tr></thead>
  <tbody></tbody>
</table>
<script nonce="NONCE">
'use strict';
const $ = (id) => document.getElementById(id);
const form = $('form'), drop = $('drop'), body = $('results').tBodies[0];
const kMostRows = 500;
let turn = 0;  // an upload replaces the one before it

function element(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

function showFaults(answer) {
  $('faults').append(element('p', answer.error || 'The upload failed.'));
  const list = document.createElement('ul');
  for (const fault of answer.details || []) {  // PostgreSQL lists a thousand at most
    const place = [fault.line && 'Line ' + fault.line, fault.column].filter(Boolean).join(', ');
    list.append(element('li', (place ? place + ': ' : '') + fault.message));
  }
  $('faults').append(list);
  $('faults').hidden = false;
}

function showIgnored(columns) {
  $('ignored').textContent = 'Columns that are not used: ' + columns.join(', ');
  $('ignored').hidden = columns.length === 0;
}

// URLs may contain commas: one separates only where the next image begins.
function imagesOf(list) {
  return list ? list.split(/,(?=https?:\/\/|Error processing image(?:,|$))/) : [];
}

const kFailed = 'Error processing image';

// The name in an output's URL as a person would write it.
function nameOf(url) {
  const name = url.split('/').pop();
  try {
    return decodeURIComponent(name);
  } catch {
    return name;  // bytes that are no UTF-8
  }
}

function failuresOf(product) {
  return imagesOf(product.output_image_urls).filter((image) => image === kFailed).length;
}

// What is told about the products as a whole. Those with failures come first where not all fit.
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

async function getJson(path) {
  const response = await fetch(path);
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

async function follow(id, mine) {
  for (;;) {
    const { status } = await getJson(`/api/status/${id}/`);
    if (mine !== turn) return;
    $('status').textContent = `Request ${id}: ${status}.`;
    if (status === 'Completed' || status === 'Failed') break;
    await new Promise((resume) => setTimeout(resume, 1000));
  }
  const { products } = await getJson(`/api/products/${id}/`);
  if (mine === turn) $('status').textContent += showProducts(products);
}

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const mine = ++turn;
  $('faults').hidden = $('results').hidden = true;
  $('faults').replaceChildren();
  showIgnored([]);
  body.replaceChildren();
  $('status').textContent = 'Uploading…';
  try {
    const response = await fetch('/api/upload/', { method: 'POST', body: new FormData(form) });
    const answer = await response.json();
    if (response.ok) {
      showIgnored(answer.ignored_columns || []);
      return await follow(answer.request_id, mine);
    }
    $('status').textContent = 'Nothing was stored.';
    showFaults(answer);
  } catch (problem) {
    $('status').textContent = '';
    showFaults({ error: problem.message });
  }
});

for (const kind of ['dragenter', 'dragover', 'dragleave', 'drop']) {
  drop.addEventListener(kind, (event) => {
    event.preventDefault();
    drop.classList.toggle('over', kind === 'dragenter' || kind === 'dragover');
    if (kind === 'drop') form.elements.file.files = event.dataTransfer.files;
  });
}
</script>
</body>
</html>
)html";

std::string make_nonce() {
  constexpr const char* kDigits = "0123456789abcdef";
  std::array<unsigned char, 16> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    throw std::runtime_error("getrandom gave too few bytes");
  }
  std::string nonce;
  for (const unsigned char byte : bytes) {
    nonce += kDigits[byte >> 4];
    nonce += kDigits[byte & 15];
  }
  return nonce;
}

std::string page_with(const std::string& nonce) {
  const std::string mark = "NONCE";
  std::string page = kPage;
  for (std::size_t at = page.find(mark); at != std::string::npos;
       at = page.find(mark, at + nonce.size())) {
    page.replace(at, mark.size(), nonce);
  }
  return page;
}

}  // namespace

void answer_page(httplib::Response& response) {
  const std::string nonce = make_nonce();
  response.status = 200;
  response.set_content(page_with(nonce), "text/html; charset=utf-8");
  response.set_header("Content-Security-Policy",
                      "default-src 'none'; script-src 'nonce-" + nonce + "'; style-src 'nonce-" +
                          nonce +
                          "'; connect-src 'self'; img-src data:; base-uri 'none'; "
                          "form-action 'none'; frame-ancestors 'none'");
  response.set_header("Cache-Control", "no-store");
  response.set_header("Referrer-Policy", "no-referrer");
}

}  // namespace imgpress::gateway
