// Puts a button beside each value of the connect page that copies it. Without this script, a click on a
// value selects the whole of it.
'use strict';

const SHOWN_FOR_MS = 2000;

const said = document.createElement('p');
said.className = 'unseen';
said.setAttribute('role', 'status');
document.body.append(said);

for (const value of document.querySelectorAll('[data-copy]')) {
  const what = document.createElement('span');
  what.className = 'unseen';
  what.textContent = ` ${value.dataset.copy}`;
  const word = document.createElement('span');
  word.textContent = 'Copy';
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'plain copies';
  button.append(word, what);
  button.addEventListener('click', async () => {
    const copied = await copy(value);
    word.textContent = copied ? 'Copied' : 'Selected';
    said.textContent = copied ? `Copied${what.textContent}` : `Selected${what.textContent}: copy it with the keyboard`;
    setTimeout(() => {
      word.textContent = 'Copy';
      said.textContent = '';
    }, SHOWN_FOR_MS);
  });
  (value.closest('pre') ?? value).after(button);
}

/** Whether it was copied; if not, it is selected. */
async function copy(value) {
  try {
    await navigator.clipboard.writeText(value.textContent);
    return true;
  } catch {
    // Not over HTTPS: browsers keep the clipboard to themselves then, and the old way may still do.
    getSelection().selectAllChildren(value);
    return document.execCommand('copy');
  }
}
