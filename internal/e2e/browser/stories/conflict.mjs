// Two people change one thing: the second one is told, sees what differs and decides.
import { api, check, dialogOf, entered, expected, picture, shown, toastOf, want } from '../kit.mjs'

export default async function conflict() {
  expected.push([/./, 412])
  const [mine, theirs] = [await entered(), await entered()]
  const phone = (await api(mine, '/phones?macAddress=001565aabb01')).phones[0].id
  const save = (page) => dialogOf(page).getByRole('button', { name: 'Save' }).click()
  const notice = mine.locator('.conflict')

  // A phone, and what is stored is taken.
  for (const [page, name] of [[mine, 'Mine'], [theirs, 'Theirs']]) {
    await shown(page, `/phones/${phone}`)
    await page.getByRole('button', { name: 'Edit' }).click()
    await dialogOf(page).getByLabel('Name').fill(name)
    await dialogOf(page).getByLabel('Site').fill(`${name} place`)
  }
  await save(theirs)
  await toastOf(theirs, 'Saved').waitFor()
  await save(mine)
  await notice.getByText('Somebody else has changed this').waitFor()
  await notice.locator('summary').click()
  await notice.getByRole('row', { name: 'name Theirs Mine', exact: true }).waitFor()
  await check(mine, 'phone', false)
  await notice.getByRole('button', { name: 'Load what is stored' }).click()
  await mine.waitForFunction(() => document.querySelector('dialog [name=name]')?.value === 'Theirs')
  await dialogOf(mine).getByLabel('Name').fill('Both')
  await save(mine)
  await toastOf(mine, 'Saved').waitFor()
  const now = await api(mine, `/phones/${phone}`)
  want(`${now.name}, ${now.site}`, 'Both, Theirs place', 'the phone')

  // An extension, and mine is stored over theirs.
  for (const [page, name] of [[mine, 'Mine'], [theirs, 'Theirs']]) {
    await shown(page, '/extensions')
    await page.getByRole('button', { name: 'Edit 101' }).click()
    await dialogOf(page).getByLabel('Name').fill(name)
  }
  await save(theirs)
  await theirs.getByRole('cell', { name: 'Theirs' }).waitFor()
  await save(mine)
  await notice.getByRole('button', { name: 'Store mine over it' }).click()
  await mine.getByRole('cell', { name: 'Mine' }).waitFor()
  want((await api(mine, '/extensions/101')).name, 'Mine', 'the extension')

  // Settings.
  for (const [page, ntp] of [[mine, 'mine.example'], [theirs, 'theirs.example']]) {
    await shown(page, '/settings')
    await page.getByLabel('ntp', { exact: true }).fill(ntp)
  }
  await theirs.getByRole('button', { name: 'Save' }).click()
  await toastOf(theirs, 'Saved').waitFor()
  await mine.getByRole('button', { name: 'Save' }).click()
  await notice.locator('summary').click()
  await notice.getByRole('row', { name: 'ntp theirs.example mine.example' }).waitFor()
  await check(mine, 'settings', false)
  await notice.getByRole('button', { name: 'Load what is stored' }).click()
  await mine.waitForFunction(() => document.querySelector('[data-key=ntp]')?.value === 'theirs.example')

  // A template.
  for (const [page, remark] of [[mine, '# mine'], [theirs, '# theirs']]) {
    await shown(page, '/templates/yealink-phone')
    await page.getByText(/It may be used/).waitFor()
    await page.locator('.cm-content').click()
    await page.keyboard.press('Control+End')
    await page.keyboard.type(`${remark}\n`)
    await page.getByText(/It may be used/).waitFor()
    await page.getByRole('button', { name: 'Activate' }).click()
  }
  await dialogOf(theirs).getByRole('button', { name: 'Activate', exact: true }).click()
  await toastOf(theirs, 'Revision 1 is active').waitFor()
  await dialogOf(mine).getByRole('button', { name: 'Activate', exact: true }).click()
  await notice.locator('summary').click()
  await notice.locator('.minus', { hasText: '# theirs' }).waitFor()
  await notice.locator('.plus', { hasText: '# mine' }).waitFor()
  await picture(mine, 'template', false)
  await notice.getByRole('button', { name: 'Store mine over it' }).click()
  await toastOf(mine, 'Revision 2 is active').waitFor()
}
