// How the guide becomes a site: `cargo xtask guide` builds it. Nothing is fetched when it is built or read: fonts and
// scripts come with the tool, and the search runs in the reader's browser.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const DOCS = fileURLToPath(new URL('..', import.meta.url));

/** What stands in the menu, in the order in which it is read. Each page's name is its heading. */
const CHAPTERS = [
  ['Start', ['start', 'first-call']],
  ['Where tools come from', ['sources/openapi', 'sources/http', 'sources/sqlite', 'sources/postgres', 'sources/rust']],
  ['Who signs in, and how', [
    'sign-in/index', 'sign-in/api-key', 'sign-in/headers', 'sign-in/upstream', 'sign-in/oauth', 'sign-in/clients',
    'sign-in/identity-provider', 'sign-in/authorization-server', 'sign-in/credentials',
  ]],
  ['Platforms', ['duvo', 'teammates']],
  ['Calls', ['calls/descriptions', 'calls/effects', 'calls/limits', 'calls/cache']],
  ['In operation', [
    'operate/deploy', 'operate/https', 'operate/replicas', 'operate/secrets', 'operate/backup', 'operate/watch',
  ]],
  ['Security', ['security']],
  ['When something fails', ['troubleshooting']],
];

function heading(page) {
  const text = readFileSync(join(DOCS, `${page}.md`), 'utf8');
  return /^# (.+)$/m.exec(text)[1].replaceAll('`', '');
}

const item = page => ({ text: heading(page), link: `/${page.replace(/index$/, '')}` });

/** The pages that the program writes about itself, and those on how its judgements were tried, whichever there are. */
function reference() {
  const written = readdirSync(join(DOCS, 'reference')).filter(file => file.endsWith('.md')).sort();
  const pages = ['lint-over-real-descriptions', 'doctor-fault-garden', 'doctor-over-real-servers'];
  const tried = pages.filter(page => existsSync(join(DOCS, `${page}.md`)));
  return [...written.map(file => `reference/${basename(file, '.md')}`), ...tried].map(item);
}

/** Says above a block which file it is, and of a command that nobody has tried here. */
function captions(md) {
  const fence = md.renderer.rules.fence;
  md.renderer.rules.fence = (tokens, index, ...rest) => {
    const caption = captionOf(tokens[index].info.trim().split(/\s+/).slice(1));
    const head = caption ? `<p class="caption">${md.utils.escapeHtml(caption)}</p>` : '';
    return head + fence(tokens, index, ...rest);
  };
}

function captionOf([first, second]) {
  switch (first) {
    case undefined: case 'fails': return undefined;
    case 'in': return `in ${second}`;
    case 'wrong': return `${second}, with a mistake`;
    case 'from': return second;
    case 'untried': return 'not run by the tests of this guide';
    default: return first;
  }
}

export default {
  lang: 'en',
  title: 'Bridgehead',
  description: 'A remote MCP server in front of an API, a database or Rust code',
  // For those who develop Bridgehead, not for those who use it.
  srcExclude: ['adr/**', 'requirements.md'],
  markdown: {
    // Words in angle brackets are words.
    html: false,
    // Comments in the usual themes are too pale to read.
    theme: { light: 'github-light-high-contrast', dark: 'github-dark-high-contrast' },
    config: captions,
  },
  themeConfig: {
    sidebar: [
      ...CHAPTERS.map(([text, pages]) => ({ text, items: pages.map(item) })),
      { text: 'Reference', items: reference() },
    ],
    outline: [2, 3],
    search: { provider: 'local' },
  },
};
