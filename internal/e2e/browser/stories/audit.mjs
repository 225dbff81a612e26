// What was done is listed, found by filters, and shown as before and after; trying a
// template is not something done.
import { check, dialogOf, entered, shown, toastOf, want } from '../kit.mjs'

export default async function audit() {
  const page = await entered()
  await shown(page, '/templates/yealink-phone')
  await page.getByText(/It may be used/).waitFor()
  await shown(page, '/extensions')
  await page.getByRole('button', { name: 'Edit 101' }).click()
  await dialogOf(page).getByLabel('Name').fill('Back Desk')
  await dialogOf(page).getByRole('button', { name: 'Save' }).click()
  await toastOf(page, 'Saved').waitFor()
  await shown(page, '/audit')
  const rows = page.locator('tbody tr')
  await rows.filter({ hasText: 'PATCH /v1/pbx/extensions/{number}' }).first().waitFor()
  want(await rows.filter({ hasText: '/templates/' }).count(), 0, 'entries about trying a template')
  await rows.filter({ hasText: 'PATCH' }).getByText('Show').click()
  await page.locator('del', { hasText: 'Front Desk' }).waitFor()
  await page.locator('ins', { hasText: 'Back Desk' }).waitFor()
  await check(page, 'changed')
  await page.getByLabel('What').selectOption('changed')
  await page.waitForFunction(() => [...document.querySelectorAll('tbody tr')].every((r) => r.textContent.includes('PATCH')))
  await page.getByLabel('Only about').fill('101')
  await page.getByLabel('Key').selectOption('admin')
  await page.waitForFunction(() => document.querySelectorAll('tbody tr').length === 1)
  want((await page.evaluate(() => location.hash)).includes('action=PATCH'), true, 'the filters are in the address')
  await check(page, 'filtered')
  await page.getByLabel('Until').fill('2020-01-01')
  await page.getByText('Nothing of that kind was done.').waitFor()
  await page.reload()
  await page.getByText('Nothing of that kind was done.').waitFor()
}
