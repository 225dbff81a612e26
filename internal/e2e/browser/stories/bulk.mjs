// Many phones are selected and resynced in waves; the job is watched as it goes.
import { check, dialogOf, entered, picture, shown, want } from '../kit.mjs'

export default async function bulk() {
  const page = await entered()
  await shown(page, '/phones?manufacturer=yealink')
  await page.getByLabel('Select all shown').check()
  await page.getByText('3 selected').waitFor() // not the fourth, which nobody provisioned
  want(await page.getByLabel('Select 00:15:65:00:00:99').isDisabled(), true, 'a phone that gets no files cannot be selected')
  await picture(page, 'selected')
  await page.getByRole('group', { name: 'What to do' }).getByRole('button', { name: 'Resync' }).click()
  await dialogOf(page).getByLabel('Phones of the first wave').fill('1')
  await dialogOf(page).getByLabel('Seconds between waves').fill('0')
  await check(page, 'waves', false)
  await dialogOf(page).getByRole('button', { name: 'Resync' }).click()
  await page.locator('.job .badge.running').waitFor()
  await picture(page, 'under-way')
  await page.locator('.job').getByText('3 of 3 done').waitFor({ timeout: 90000 })
  await page.locator('.job .badge.done').waitFor()
  await check(page, 'done')
  await shown(page, '/jobs')
  await page.getByRole('button', { name: /^Resync job_/ }).click()
  await dialogOf(page).getByRole('cell', { name: '2', exact: true }).first().waitFor() // the second wave
  await dialogOf(page).getByText('applied').first().waitFor()
  await check(page, 'phones-of-the-job', false)
}
