// Every page, light and dark and as wide as a hand, there with every dialog: no serious finding
// of axe-core, nothing wider than the screen. Escape closes a dialog, and the focus goes
// back to what opened it. Then what is shown when something does not work.
import { api, check, dialogOf, entered, expected, fail, go, login, open, shown, toastOf, want } from '../kit.mjs'

const looks = { light: {}, dark: { colorScheme: 'dark' }, small: { viewport: { width: 390, height: 844 }, colorScheme: 'dark' } }
const dialogs = {
  phones: ['Add a phone', 'Import'],
  pending: ['Adopt by claim code', 'Open a window', /^Adopt 00:/],
  extensions: ['Add an extension', 'Import', 'Edit 101', 'New password 101', 'Delete 101', 'Show contacts 101'],
  templates: ['New template', 'Upload a file'],
  'templates/yealink-phone': ['Activate', 'Difference'],
  firmware: ['Upload an image'],
  keys: ['Make a key', 'Revoke admin'],
  'phones/phone': ['Edit', 'New passwords', 'Secret path', 'Replace', 'Delete', /^Key 3 /],
}

// On a small screen the menu is behind a button.
async function menu(page) {
  const button = page.getByRole('button', { name: 'Menu' })
  want(await page.locator('#nav').isVisible(), false, 'the menu is shown before it is asked for')
  await button.focus()
  await page.keyboard.press('Enter')
  want(await button.getAttribute('aria-expanded'), 'true', 'aria-expanded')
  await page.locator('#nav').getByRole('link', { name: 'Audit' }).waitFor()
  await check(page, 'menu', false)
  await page.keyboard.press('Escape')
  want(await button.getAttribute('aria-expanded'), 'false', 'aria-expanded after Escape')
  want(await button.evaluate((b) => b === document.activeElement), true, 'the focus is on the button')
}

async function everyDialog(page, name, look) {
  for (const opener of dialogs[name] || []) {
    const button = page.locator('main').getByRole('button', { name: opener, exact: true }).first()
    await button.focus()
    await page.keyboard.press('Enter')
    await dialogOf(page).waitFor()
    want(await page.evaluate(() => document.querySelector('dialog').contains(document.activeElement)), true, `${name} ${opener}: the focus is in the dialog`)
    await check(page, `${name}-${opener}-${look}`.replace(/[^\w-]+/g, '-'), false)
    await page.keyboard.press('Escape')
    await dialogOf(page).waitFor({ state: 'detached' })
    if (!await button.evaluate((b) => b === document.activeElement)) fail(`${name} ${opener}: the focus is on ${await page.evaluate(() => document.activeElement.outerHTML.slice(0, 80))}`)
  }
}

export default async function pages() {
  await Promise.all(Object.entries(looks).map(async ([look, options]) => {
    const page = await open(options)
    await page.getByLabel('API key').waitFor()
    await check(page, `login-${look}`)
    await login(page)
    const phone = (await api(page, '/phones?registered=true')).phones[0].id
    const polycom = (await api(page, '/phones?macAddress=0004f2abcdef')).phones[0].id
    for (const name of ['', 'phones', 'pending', 'extensions', 'templates', 'templates/yealink-phone', 'firmware', 'dhcp', 'settings', 'jobs', 'audit', 'keys', 'phones/phone', 'phones/polycom', 'nothing']) {
      await shown(page, `/${name.replace('/phone', `/${phone}`).replace('/polycom', `/${polycom}`)}`.replace(/^\/templates\/.*/, '/templates/yealink-phone'))
      if (name.startsWith('phones/')) await page.getByLabel('Explain').check()
      if (name.startsWith('templates/')) await page.getByText(/It may be used/).waitFor()
      if (name === 'phones/polycom') await page.getByRole('link', { name: /app.log/ }).waitFor()
      await check(page, `${name === '' ? 'overview' : name.replace('/', '-')}-${look}`)
      if (name === 'phones' && look === 'light') want(await page.locator('.wide').evaluate((e) => e.scrollWidth <= e.clientWidth), true, 'the list fits beside a long name')
      if (look === 'small') await everyDialog(page, name, look)
      if (look === 'small' && name === '') await menu(page)
    }
  }))
  await errors()
}

async function errors() {
  const page = await entered()
  await shown(page, '/phones')
  await page.getByRole('button', { name: 'Add a phone' }).first().click()
  await dialogOf(page).getByLabel('MAC address').fill('zz')
  await dialogOf(page).getByLabel('Extension').fill('999')
  await page.keyboard.press('Enter')
  await dialogOf(page).locator('.wrong[data-for=macAddress]:not(:empty)').waitFor()
  want(await dialogOf(page).getByLabel('MAC address').getAttribute('aria-invalid'), 'true', 'the field is marked')
  await check(page, 'form-refused', false)
  await page.keyboard.press('Escape')

  // What went wrong stays until it is closed; it moves only for who likes that.
  await shown(page, '/firmware')
  await page.getByRole('button', { name: 'Set a target' }).click()
  await toastOf(page, 'Upload an image first').waitFor()
  want(await page.locator('.toast').evaluate((e) => getComputedStyle(e).animationName), 'come', 'the animation of a message')
  await page.emulateMedia({ reducedMotion: 'reduce' })
  want(await page.locator('.toast').evaluate((e) => getComputedStyle(e).animationName), 'none', 'the animation for who wants none')
  await check(page, 'message', false)
  await page.getByRole('button', { name: 'Close the message' }).click()
  want(await page.locator('.toast').count(), 0, 'messages after closing')

  // The server fails, and is gone.
  expected.push([/\/v1\/pbx\/jobs/, 500])
  await page.route('**/v1/pbx/jobs?*', (r) => r.fulfill({ status: 500, contentType: 'application/problem+json', body: '{"title":"Internal Server Error","status":500}' }))
  await go(page, '/jobs')
  await page.getByRole('button', { name: 'Try again' }).waitFor()
  await check(page, 'failed')
  await page.unroute('**/v1/pbx/jobs?*')
  await page.getByRole('button', { name: 'Try again' }).click()
  await page.getByRole('heading', { name: 'Jobs' }).waitFor()
  page.offline = true
  await shown(page, '/phones')
  await page.context().setOffline(true)
  await page.locator('#offline:not([hidden])').waitFor()
  await check(page, 'offline')
  await page.context().setOffline(false)
  await page.locator('#offline').waitFor({ state: 'hidden' })
}
