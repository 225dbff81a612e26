// A layer is saved, refused, and seen on the phone; secrets are not shown again.
import { entered, go, picture, shown, want } from '../kit.mjs'

export default async function settings() {
  const page = await entered()
  await go(page, '/settings')
  await page.getByLabel('vlan.id').fill('9999')
  await page.getByLabel('adminPassword').fill('planted-secret-1')
  await page.getByLabel('timezone').fill('Mars/Olympus')
  await page.getByRole('button', { name: 'Save' }).click()
  await page.getByLabel('vlan.id').fill('120')
  await page.getByRole('button', { name: 'Save' }).click()
  await page.locator('.wrong[data-for=timezone]:not(:empty)').waitFor()
  await picture(page, 'refused')
  await page.getByLabel('timezone').fill('Europe/Berlin')
  await page.getByRole('button', { name: 'Save' }).click()
  await page.locator('.toast').getByText(/Saved/).waitFor()
  await page.reload()
  await page.getByLabel('timezone').waitFor()
  want(await page.getByLabel('adminPassword').inputValue(), '', 'the password in the form')
  await page.getByLabel('language').selectOption('de')
  await page.getByRole('button', { name: 'Save' }).click()
  await page.locator('.toast').getByText(/Saved/).waitFor()
  for (const hash of ['/settings', '/audit', '/phones']) {
    await shown(page, hash)
    await page.locator('tbody, form.settings').first().waitFor()
    want((await page.content()).includes('planted-secret-1'), false, `the password on ${hash}`)
    if (hash === '/audit') want(await page.locator('tbody tr').filter({ hasText: 'GET /v1/pbx/settings' }).count(), 0, 'passwords read by looking at settings')
  }
  await page.locator('tbody a').first().click()
  await page.getByText('What the layers make of this phone.').click()
  await page.getByRole('row', { name: /timezone Europe\/Berlin global/ }).waitFor()
  want((await page.content()).includes('planted-secret-1'), false, 'the password on the page of the phone')
  await picture(page, 'effective')
}
