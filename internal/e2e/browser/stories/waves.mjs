// A template is activated in waves: the first phone, a pause, the rest, and every phone
// gets it; another one halts at the first phone, which gets the earlier one again.
import { check, dialogOf, entered, shown, toastOf } from '../kit.mjs'

async function stage(page, timeout) {
  await page.getByText(/It may be used/).waitFor()
  await page.getByRole('button', { name: 'Activate' }).click()
  const box = dialogOf(page)
  await box.getByLabel('Who gets it').selectOption('waves')
  await box.getByLabel('Seconds between waves').fill('3600')
  await box.getByLabel('Seconds that a phone may take').fill(timeout)
}

export default async function waves() {
  const page = await entered()
  await shown(page, '/templates/yealink-phone')
  await page.getByText(/It may be used/).waitFor()
  await page.locator('.cm-content').click()
  await page.keyboard.press('Control+End')
  await page.keyboard.insertText('phone_setting.lcd_logo.mode = 1\n')
  await page.locator('#rendered').getByText('phone_setting.lcd_logo.mode = 1').waitFor()
  await stage(page, '120')
  await dialogOf(page).getByLabel('Seconds between waves').fill('5')
  await check(page, 'how', false)
  await dialogOf(page).getByRole('button', { name: 'Activate', exact: true }).click()
  await toastOf(page, 'The first wave has begun.').waitFor()
  const job = page.locator('.job')
  await job.getByRole('row', { name: /^1 1 done 1 0/ }).waitFor({ timeout: 60000 })
  await job.getByRole('button', { name: 'Pause' }).click()
  await job.locator('.badge.paused').waitFor()
  await job.getByRole('row', { name: /^2 1 waiting 0 0/ }).waitFor()
  await job.getByText('Phones that were reached get revision 1, the others the built-in template.').waitFor()
  await check(page, 'canary')
  await shown(page, '/templates')
  await shown(page, '/templates/yealink-phone') // it is found again
  await job.getByRole('button', { name: 'Go on' }).click()
  await job.getByText('It has ended: every phone gets revision 1 now.').waitFor({ timeout: 90000 })
  await check(page, 'done')

  await page.locator('.cm-content').click()
  await page.keyboard.press('Control+End')
  await page.keyboard.insertText('account.1.password = wrong\n')
  await page.locator('#rendered').getByText('account.1.password = wrong').waitFor()
  await stage(page, '4')
  await page.emulateMedia({ colorScheme: 'dark' })
  await page.setViewportSize({ width: 390, height: 800 })
  await check(page, 'how-narrow', false)
  await dialogOf(page).getByRole('button', { name: 'Activate', exact: true }).click()
  await job.locator('.badge.aborted').waitFor({ timeout: 90000 })
  await job.getByText('It has ended: every phone gets revision 1 now.').waitFor()
  await job.getByText(/It fetched its configuration .* and is not registered/).waitFor()
  await check(page, 'halted-narrow')
}
