// The overview counts what there is, draws what was and shows what happens.
import { check, entered, need, shown, want } from '../kit.mjs'

export default async function dashboard() {
  const page = await entered()
  await shown(page, '/')
  const card = (name) => page.locator('section', { has: page.getByRole('heading', { name, exact: true }) })
  await card('Phones').locator('#total', { hasText: '2' }).waitFor()
  await card('By type').getByLabel('Hardware: 2').waitFor()
  await card('By maker').getByLabel('Polycom: 1').waitFor()
  await card('By maker').getByLabel('Yealink: 1').waitFor()
  await card('By state').getByLabel('registered: 1').waitFor()
  await card('Files that phones asked for').getByLabel(/^served: [1-9]/).waitFor()
  await page.getByRole('img', { name: /^1 now/ }).waitFor()
  await need('more')
  await page.getByRole('img', { name: /^2 now/ }).waitFor({ timeout: 60000 })
  await card('Live').getByText('Register').first().waitFor()
  await card('Files that phones asked for').getByLabel(/^not found: [1-9]/).waitFor()
  await check(page, 'overview')
  await page.getByLabel('Of which time').selectOption('24')
  await page.locator('.curve .line').first().waitFor({ state: 'attached' })
  want(await page.locator('.curve .axis').count(), 8, 'words on the axes')
  await check(page, 'a-day')
}
