// Every text of the page that people read, in one place. Names of settings, states
// and fields that the API gives are shown as the API gives them.
export const text = {
  title: 'dialtone',
  login: {
    title: 'Log in', key: 'API key', enter: 'Log in',
    hint: 'The first start printed a key; it is also in data/admin.key. The browser keeps it in a cookie that no script can read.',
    over: 'Log in again: the session is over.',
  },
  nav: {
    dashboard: 'Overview', phones: 'Phones', extensions: 'Extensions', templates: 'Templates', firmware: 'Firmware',
    dhcp: 'DHCP', settings: 'Settings', jobs: 'Jobs', audit: 'Audit', keys: 'Keys',
  },
  common: {
    loading: 'Loading…', none: 'Nothing here yet.', more: 'Show more', save: 'Save', cancel: 'Cancel', remove: 'Delete', close: 'Close',
    search: 'Search', all: 'all', yes: 'yes', no: 'no', never: 'never', failed: 'That did not work', offline: 'The server does not answer; trying again.',
    copied: 'Copied', copy: 'Copy', sure: 'Are you sure?', created: 'Created', saved: 'Saved', deleted: 'Deleted', required: 'required', missing: 'There is no such page.',
    forbidden: (scope) => `Your key does not have the scope ${scope}.`, selected: (n) => `${n} selected`, back: 'Back',
  },
  state: {
    pending: 'waiting to be adopted', expected: 'not seen yet', contacted: 'asked for files', configured: 'has its files',
    registered: 'registered', unregistered: 'not registered',
  },
  dashboard: {
    title: 'Overview', phones: 'Phones', registered: 'registered', unregistered: 'not registered', byType: 'By type', byVendor: 'By maker',
    byState: 'By state', live: 'Live', liveHint: 'What happens now, newest first', overTime: 'Registrations while this page is open', pending: 'Waiting to be adopted',
    hardware: 'Hardware', softphone: 'Softphone', webrtc: 'Browser', mobile: 'Mobile', quiet: 'Nothing has happened since the page was opened.',
    drift: 'Differ from what is provisioned', outcomes: 'Provisioning while this page is open',
  },
  phones: {
    title: 'Phones', add: 'Add a phone', importCSV: 'Import', exportCSV: 'Export', extension: 'Extension', state: 'State', phone: 'Phone', mac: 'MAC address', ip: 'IP address', seen: 'Last registered',
    registered: 'Registered', type: 'Type', maker: 'Maker', drift: 'Drift', caption: 'Phones, brought up to date as things happen',
    resync: 'Resync', reboot: 'Restart', select: 'Select', selectAll: 'Select all shown', none: 'No phone fits.', model: 'Model', name: 'Name', site: 'Site', line: 'Line',
    added: 'The phone is in the list; it gets its configuration when it asks.', started: (n) => `Started for ${n} phones: see Jobs.`, addLine: 'Add a line',
    importHint: 'CSV with the columns mac, model, extension, name, site. It is checked first; nothing is stored unless every row is right.', check: 'Check', doImport: 'Import',
    rowsRight: (n) => `${n} rows are right.`, pending: 'Waiting phones',
  },
  phone: {
    stuck: 'Where it is stuck', well: 'All is well.', lines: 'Lines', timeline: 'Timeline', config: 'Configuration', resync: 'Resync', reboot: 'Restart', edit: 'Edit', remove: 'Delete',
    explain: 'Explain', file: 'File', uploads: 'Uploaded by the phone', facts: 'Facts', from: 'Template line', layer: 'Layer', job: 'Job', adopt: 'Adopt', extension: 'Extension',
    adoptHint: 'Give it an extension; the phone configures itself.', replace: 'Replace', replaceHint: 'The new phone gets lines, settings and name; the passwords of the old one end.', newMAC: 'MAC address of the new phone',
    deleted: 'The phone is deleted.', settings: 'Settings', keys: 'Keys', noKeys: 'The model of this phone is not known.', matched: 'Recognised by', steps: { running: 'running', applied: 'applied: fetched and registered again', 'fetched-not-registered': 'fetched, did not register again', 'no-answer': 'did not answer' },
    kind: { dhcp: 'DHCP', pnp: 'PnP', file: 'File', upload: 'Upload', register: 'Register', unregister: 'Unregister', expired: 'Expired', 'flow-lost': 'Connection lost', auth: 'Wrong password', connect: 'Connection', call: 'Call', admin: 'Administrator', notify: 'Notify' },
  },
  extensions: {
    title: 'Extensions', add: 'Add an extension', number: 'Number', name: 'Name', user: 'SIP user', contacts: 'Live contacts', rotate: 'New password',
    rotateHint: 'Softphones need the new password at once. Provisioned phones have passwords of their own.', password: 'SIP password, shown this once', rings: 'A call rings these', silent: 'Nobody is registered.',
  },
  keys: { title: 'Keys', add: 'Make a key', name: 'Name', scopes: 'Scopes', expires: 'Expires', used: 'Last used', created: 'Made', shown: 'The key, shown this once', revoke: 'Revoke' },
  jobs: { title: 'Jobs', kind: 'Kind', state: 'State', phones: 'Phones', started: 'Started', none: 'No job was started yet.' },
};
