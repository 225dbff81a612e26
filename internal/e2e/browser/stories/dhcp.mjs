// Another DHCP server that sends phones elsewhere is named, with when it was heard.
import { check, entered, need, shown } from '../kit.mjs'

export default async function dhcp() {
  const page = await entered()
  await shown(page, '/dhcp')
  await page.getByText('No reply of another server was heard.').waitFor()
  await need('server')
  const row = page.getByRole('row', { name: /192\.168\.50\.3/ })
  await row.waitFor({ timeout: 60000 })
  await row.getByText('66: old-pbx.example').waitFor()
  await row.getByText(/not this server/).waitFor()
  await page.getByText('One of them misleads phones.').waitFor()
  await check(page, 'another-server')
}
