// Walks one story of the admin page in a headless Chromium, with a picture of each step.
//   stories.mjs STORY ORIGIN CHROMIUM DIR    (the key on the first line of standard input)
// It fails on what kit.mjs watches for. "need WORD" on standard output asks for something
// outside of the page; a line on standard input says that it is there.
import { browser, fail, faults, picture } from './kit.mjs'

try {
  const { default: tell } = await import(`./stories/${process.argv[2]}.mjs`)
  await tell()
} catch (e) {
  fail(String(e.stack || e))
  for (const context of browser.contexts()) for (const page of context.pages()) await picture(page, 'failed').catch(() => {})
}
await browser.close()
process.exit(faults.length > 0 ? 1 : 0)
