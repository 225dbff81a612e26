// The answer to a POST is lost on the way: the page sends it again under the same key, and
// it was done once.
import { api, check, dialogOf, entered, shown, toastOf, want } from '../kit.mjs'

export default async function retry() {
  const page = await entered()
  page.offline = true
  await shown(page, '/extensions')
  const keys = []
  let lost = 0
  await page.route('**/v1/pbx/extensions', async (route) => {
    const r = route.request()
    if (r.method() !== 'POST') return route.continue()
    keys.push(r.headers()['idempotency-key'])
    if (lost === 0) return route.continue()
    lost--
    await route.fetch() // the server does it
    return route.abort('connectionreset')
  })
  const add = async (number) => {
    await page.getByRole('button', { name: 'Add an extension' }).first().click()
    await dialogOf(page).getByLabel('Number').fill(number)
    await dialogOf(page).getByRole('button', { name: 'Save' }).click()
  }
  lost = 1
  await add('401')
  await page.getByText('SIP password, shown this once').waitFor()
  await page.keyboard.press('Escape')
  want(`${keys.length} ${new Set(keys).size}`, '2 1', 'requests and keys')

  // It is lost for good: whoever presses the button again gets the first answer.
  lost = 4
  await add('402')
  await dialogOf(page).getByText('The server does not answer').waitFor()
  await check(page, 'gone', false)
  await dialogOf(page).getByRole('button', { name: 'Save' }).click()
  await page.getByText('SIP password, shown this once').waitFor()
  await page.keyboard.press('Escape')
  want(`${keys.length} ${new Set(keys).size}`, '7 2', 'requests and keys')
  want((await api(page, '/extensions')).extensions.length, 2, 'extensions')
  await page.getByRole('cell', { name: '402', exact: true }).waitFor()
  want(await toastOf(page, 'x').count(), 0, 'messages')
}
