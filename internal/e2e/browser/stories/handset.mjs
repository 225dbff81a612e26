// The drawn phone has the keys of its model, with what is on each; keys are set on it, and
// lamps follow the registrations.
import { api, check, dialogOf, entered, need, shown, toastOf, want } from '../kit.mjs'

export default async function handset() {
  const page = await entered()
  const id = async (mac) => (await api(page, `/phones?macAddress=${mac}`)).phones[0].id
  const keys = page.locator('.face .key')
  const set = async (key, type, value, label) => {
    await page.getByRole('button', { name: key }).click()
    await dialogOf(page).getByLabel('What it does').selectOption(type)
    await dialogOf(page).getByLabel('Number or code').fill(value)
    await dialogOf(page).getByLabel('Label').fill(label)
    await dialogOf(page).getByRole('button', { name: 'Save' }).click()
    await dialogOf(page).waitFor({ state: 'detached' })
  }
  await shown(page, `/phones/${await id('001565aabb01')}`) // a T46S
  want(await page.locator('.handset .pages button').allInnerTexts().then((x) => x.join()), 'Keys 1–16,Keys 17–27,Module 1,Module 2,Module 3,Module 4,Module 5,Module 6', 'the pages of a T46S')
  want(await keys.count(), 16, 'keys of the first page')
  await page.locator('.key.set .lamp.on').waitFor()
  await set(/^Key 2 /, 'blf', '102', 'A colleague with quite a long name')
  await page.getByRole('button', { name: /^Key 2 A colleague.*BLF/ }).waitFor()
  await set(/^Key 3 /, 'speeddial', '0301234567', 'Taxi')
  await page.getByRole('button', { name: /^Key 3 Taxi\s*Speed dial/ }).waitFor()
  want(await page.evaluate(() => [...document.querySelectorAll('.face .key')].filter((k) => k.getBoundingClientRect().right > k.closest('ol').getBoundingClientRect().right + 1).length), 0, 'keys that are wider than their place')
  await check(page, 'T46S')
  await page.getByRole('button', { name: 'Keys 17–27' }).click()
  want(await keys.count(), 11, 'keys of the second page')
  await page.getByRole('button', { name: 'Module 1' }).click()
  want(await keys.count(), 40, 'keys of a module')
  await set(/^Key 40 /, 'park', '701', '')
  await page.getByRole('button', { name: /^Key 40 701\s*Park/ }).waitFor()
  await check(page, 'module')
  await page.getByLabel('Explain').check()
  await page.getByText('linekey.2.type = 16').waitFor()
  await page.getByRole('button', { name: 'Keys 1–16' }).click()
  await page.getByRole('button', { name: /^Key 3 / }).click()
  await dialogOf(page).getByLabel('What it does').selectOption('')
  await dialogOf(page).getByLabel('Number or code').fill('')
  await dialogOf(page).getByLabel('Label').fill('')
  await dialogOf(page).getByRole('button', { name: 'Save' }).click()
  await page.getByRole('button', { name: /^Key 3 free/ }).waitFor()

  await shown(page, `/phones/${await id('0004f2abcdef')}`) // a VVX 450
  want(await keys.count(), 12, 'keys of a VVX 450')
  await page.locator('.key.set .lamp:not(.on)').waitFor()
  await page.getByRole('button', { name: 'Module 3' }).click()
  await page.getByText('How many keys a module of this model has is not known').waitFor()
  await shown(page, `/phones/${await id('000b82000001')}`) // of a model that is not in the catalogue
  want(await keys.count(), 2, 'keys of an unknown model')

  await shown(page, `/phones/${await id('001565aabb01')}`)
  await page.locator('.key.set .lamp.on').waitFor()
  const other = await entered()
  await shown(other, '/extensions')
  await other.getByRole('button', { name: 'Show contacts 101' }).click()
  await dialogOf(other).getByRole('cell', { name: /^sip:101@/ }).waitFor()
  await need('gone')
  await page.locator('.key.set .lamp:not(.on)').waitFor({ timeout: 60000 })
  await dialogOf(other).getByText('Nobody is registered.').waitFor() // what is shown follows
  want(await toastOf(page, 'x').count(), 0, 'messages')
}
