// All by keyboard: logging in, the skip link, the menu, a form refused and mended, a
// dialog left by Escape, logging out.
import { dialogOf, fail, key, open, picture, shown, want } from '../kit.mjs'

export default async function keyboard() {
  const page = await open()
  const focused = () => page.evaluate(() => document.activeElement.getAttribute('aria-label') || document.activeElement.textContent || document.activeElement.name || document.activeElement.id)
  const press = (...list) => list.reduce((before, k) => before.then(() => page.keyboard.press(k)), Promise.resolve())
  const tabTo = async (name) => {
    for (let i = 0; i < 80; i++) {
      if ((await focused()) === name) return
      await press('Tab')
    }
    fail(`Tab never comes to ${name}`)
  }
  await page.getByLabel('API key').waitFor()
  await page.keyboard.type(key) // the field has the focus
  await press('Enter')
  await page.locator('.figure').waitFor()
  await page.reload()
  await page.locator('.figure').waitFor()
  await press('Tab')
  want(await focused(), 'Skip to the content', 'the first stop')
  await picture(page, 'skip', false)
  await press('Enter')
  want(await page.evaluate(() => document.activeElement.id), 'main', 'where the skip link leads')
  want(await page.evaluate(() => location.hash), '', 'the page that is shown')
  await page.reload()
  await page.locator('.figure').waitFor()
  const order = []
  for (let i = 0; i < 14; i++) { await press('Tab'); order.push(await focused()) }
  want(order.join(), 'Skip to the content,dialtone,Overview,Phones,Waiting,Extensions,Templates,Firmware,DHCP,Settings,Jobs,Audit,Keys,Log out', 'the order of the stops')
  const seen = await page.evaluate(() => { const s = getComputedStyle(document.activeElement); return `${s.outlineStyle} ${parseFloat(s.outlineWidth) >= 2}` })
  want(seen, 'solid true', 'the sign of the focus')
  await press(...Array(9).fill('Shift+Tab'))
  want(await focused(), 'Waiting', 'going back')
  await press('Tab', 'Enter')
  await page.getByRole('heading', { name: 'Extensions' }).waitFor()
  want(await page.evaluate(() => document.activeElement.id), 'main', 'the focus after the page has changed')
  await press('Tab')
  want(await focused(), 'Add an extension', 'the first stop of the page')
  await press('Enter')
  await dialogOf(page).waitFor()
  for (let i = 0; i < 12; i++) { // it stays in the dialog
    await press('Tab')
    want(await page.evaluate(() => document.activeElement === document.body || document.querySelector('dialog').contains(document.activeElement)), true, 'the focus stays in the dialog')
  }
  await press('Escape')
  await dialogOf(page).waitFor({ state: 'detached' })
  want(await focused(), 'Add an extension', 'the focus after Escape')
  await press('Enter')
  await page.keyboard.type('not a number')
  await press('Enter')
  await dialogOf(page).locator('.wrong[data-for=number]:not(:empty)').waitFor()
  want(await page.evaluate(() => document.activeElement.name), 'number', 'the focus is on what is wrong')
  await picture(page, 'refused', false)
  await press('Control+A')
  await page.keyboard.type('501')
  await press('Enter')
  await page.getByText('SIP password, shown this once').waitFor()
  await press('Escape')
  await dialogOf(page).waitFor({ state: 'detached' })
  await page.getByRole('cell', { name: '501', exact: true }).waitFor()
  await tabTo('Delete 501')
  await press('Enter')
  await dialogOf(page).waitFor()
  await tabTo('Delete')
  await press('Enter')
  await page.getByRole('cell', { name: '501', exact: true }).waitFor({ state: 'detached' })

  // The editor does not keep who comes by with Tab.
  await shown(page, '/templates/yealink-phone')
  await page.getByText(/It may be used/).waitFor()
  await page.locator('.cm-content').focus()
  await press('Tab')
  want(await page.evaluate(() => { let e = document.activeElement; while (e.shadowRoot?.activeElement) e = e.shadowRoot.activeElement; return !e.closest('.cm-content') }), true, 'Tab leaves the editor')
  await page.reload()
  await tabTo('Log out')
  await press('Enter')
  await page.getByLabel('API key').waitFor()
}
