// Every word of the page is in text.js: with all of them marked, what is shown without a
// mark came from the API.
import { dialogOf, fail, go, key, open, shown, want } from '../kit.mjs'

const names = ['', 'phones', 'pending', 'extensions', 'templates', 'firmware', 'dhcp', 'settings', 'jobs', 'audit', 'keys']

export default async function words() {
  const page = await open()
  const bodies = []
  page.on('response', (r) => { if (/\/v1\/pbx\/(?!events)/.test(r.url())) bodies.push(r.text().catch(() => '')) })
  await page.route('**/static/text.js', async (route) => {
    const body = await (await route.fetch()).text()
    await route.fulfill({ contentType: 'text/javascript', body: `${body.replace('export const text =', 'const plain =')}
      const marked = (v) => (typeof v === 'string' ? '\u29c9' + v : typeof v === 'function' ? (...a) => marked(v(...a)) : Array.isArray(v) ? v.map(marked) : Object.fromEntries(Object.entries(v).map(([k, x]) => [k, marked(x)])));
      export const text = marked(plain);` })
  })
  await page.reload()
  await page.getByLabel(/API key/).fill(key)
  await page.getByRole('button', { name: /Log in/ }).click()
  await page.locator('.figure').waitFor()
  const phone = await page.evaluate(async () => (await (await fetch('/v1/pbx/phones')).json()).phones[0].id)
  let seen = 0
  for (const name of [...names, `phones/${phone}`, 'templates/yealink-phone', 'nothing']) {
    await shown(page, `/${name}`)
    const said = await page.evaluate(() => {
      const out = []
      const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
      for (let n; (n = walk.nextNode());) if (!n.parentElement.closest('script, noscript, time, pre, code, svg, .cm-editor, .explained')) out.push(n.data)
      for (const e of document.querySelectorAll('[aria-label], [placeholder], [title], [alt]')) for (const a of ['aria-label', 'placeholder', 'title', 'alt']) if (e.hasAttribute(a) && !e.matches('time')) out.push(e.getAttribute(a))
      return out
    })
    for (const opener of await page.locator('main').getByRole('button', { name: /Add a|Import|claim code|Open a window|Edit|New password|Delete|Upload|New template|Make a key|Replace|Activate|Difference|^Key 3/ }).all()) {
      await opener.click()
      const box = dialogOf(page).first()
      await box.waitFor()
      said.push(...await box.evaluate((b) => [...b.querySelectorAll('h2, h3, label, legend, p, button, option, summary, th, strong')].map((e) => e.textContent).concat([...b.querySelectorAll('[placeholder], [aria-label]')].map((e) => e.getAttribute('aria-label') || e.placeholder))))
      await page.keyboard.press('Escape')
      await page.waitForFunction(() => !document.querySelector('dialog'))
    }
    const answers = (await Promise.all(bodies)).join('\n')
    for (const text of said) {
      if (text.includes('\u29c9')) { seen++; continue }
      for (const word of text.split(/[\s,·:]+/)) if (/[A-Za-z]{2}/.test(word) && !answers.includes(JSON.stringify(word).slice(1, -1))) fail(`#/${name}: ${JSON.stringify(text)}: ${word} is neither in text.js nor of the API`)
    }
  }
  want(seen > 200, true, 'texts that are marked')
  await go(page, '/')
}
