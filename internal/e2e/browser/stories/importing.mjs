// A list with faults is checked: every wrong row is told, nothing is stored; the mended
// one is checked, stored and exported.
import { readFileSync } from 'node:fs'
import { api, check, dialogOf, entered, shown, toastOf, want } from '../kit.mjs'

const file = (text) => ({ name: 'phones.csv', mimeType: 'text/csv', buffer: Buffer.from(text) })
const row = (i) => `00:15:65:00:${String(Math.floor(i / 100)).padStart(2, '0')}:${String(i % 100).padStart(2, '0')},T46S,,Desk ${i},Hall\n`

export default async function importing() {
  const page = await entered()
  await shown(page, '/extensions')
  await page.getByRole('button', { name: 'Import' }).click()
  await dialogOf(page).getByLabel('CSV file').setInputFiles(file('number,name\n101,Front Desk\n102,Lab\n'))
  await dialogOf(page).getByRole('button', { name: 'Import' }).click()
  await toastOf(page, '2 imported').waitFor()
  await page.getByRole('cell', { name: 'Lab' }).waitFor()

  await shown(page, '/phones')
  await page.getByRole('button', { name: 'Import' }).click()
  const many = Array.from({ length: 2000 }, (_, i) => row(i)).join('')
  const line = await page.context().newCDPSession(page)
  await line.send('Network.enable')
  await line.send('Network.emulateNetworkConditions', { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: 60 << 10 })
  await dialogOf(page).getByLabel('CSV file').setInputFiles(file(`mac,model,extension,name,site\n00:15:65:01:00:01,T46S,999,A,Hall\nnonsense,T46S,101,B,Hall\n${many}`))
  await dialogOf(page).getByRole('button', { name: 'Check' }).click()
  await dialogOf(page).getByText(/\d+ % sent/).waitFor()
  await check(page, 'sending', false)
  const wrong = dialogOf(page).getByRole('table')
  await wrong.getByRole('row', { name: /^2 extension/ }).waitFor()
  await wrong.getByRole('row', { name: /^3 mac/ }).waitFor()
  await check(page, 'wrong-rows', false)
  await line.send('Network.emulateNetworkConditions', { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: -1 })
  await dialogOf(page).getByRole('button', { name: 'Import' }).click()
  await wrong.waitFor()
  want((await api(page, '/phones/stats')).stats.totalPhones, 0, 'phones after a list with faults')
  await dialogOf(page).getByLabel('CSV file').setInputFiles(file(`mac,model,extension,name,site\n00:15:65:01:00:01,T46S,101,A,Hall\n${many}`))
  await dialogOf(page).getByRole('button', { name: 'Check' }).click()
  await dialogOf(page).getByText('All 2,001 rows are right').waitFor()
  want((await api(page, '/phones/stats')).stats.totalPhones, 0, 'phones after a dry run')
  await check(page, 'right', false)
  await dialogOf(page).getByRole('button', { name: 'Import' }).click()
  await toastOf(page, '2,001 imported').waitFor()
  await page.getByText('100 of 2,001 shown').waitFor()
  await page.getByRole('button', { name: 'Show more' }).click()
  await page.getByText('200 of 2,001 shown').waitFor()
  await check(page, 'imported', false)
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Export' }).click()])
  const text = readFileSync(await download.path(), 'utf8')
  want(download.suggestedFilename(), 'phones.csv', 'the name of the export')
  want(text.trim().split('\n').length, 2002, 'lines of the export')
}
