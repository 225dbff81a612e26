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
    pending: 'Waiting', dhcp: 'DHCP', settings: 'Settings', jobs: 'Jobs', audit: 'Audit', keys: 'Keys',
  },
  common: {
    actions: 'Actions',
    loading: 'Loading…', none: 'Nothing here yet.', more: 'Show more', save: 'Save', cancel: 'Cancel', remove: 'Delete', close: 'Close',
    search: 'Search', all: 'all', yes: 'yes', no: 'no', never: 'never', failed: 'That did not work',
    copied: 'Copied', copy: 'Copy', sure: 'Are you sure?', created: 'Created', saved: 'Saved', deleted: 'Deleted', required: 'required', missing: 'There is no such page.',
    forbidden: (scope) => `Your key does not have the scope ${scope}.`, selected: (n) => `${n} selected`,
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
    added: 'The phone is in the list; it gets its configuration when it asks.', started: (n) => `Started for ${n} phones: see Jobs.`,
    importHint: 'CSV with the columns mac, model, extension, name, site. It is checked first; nothing is stored unless every row is right.', check: 'Check', doImport: 'Import',
    rowsRight: (n) => `${n} rows are right.`, pending: 'Waiting phones',
  },
  phone: {
    stuck: 'Where it is stuck', well: 'All is well.', lines: 'Lines', timeline: 'Timeline', config: 'Configuration', resync: 'Resync', reboot: 'Restart', edit: 'Edit', remove: 'Delete',
    explain: 'Explain', file: 'File', uploads: 'Uploaded by the phone', size: 'Size', uploaded: 'Stored', offered: 'Firmware offered', retry: 'Offer the image again', retried: 'It is offered again.', facts: 'Facts', from: 'Template line', layer: 'Layer', job: 'Job', adopt: 'Adopt', extension: 'Extension',
    adoptHint: 'Give it an extension; the phone configures itself.', replace: 'Replace', replaceHint: 'The new phone gets lines, settings and name; the passwords of the old one end.', newMAC: 'MAC address of the new phone',
    deleted: 'The phone is deleted.', settings: 'Settings', keys: 'Keys', key: (n) => `Key ${n}`, free: 'free', matched: 'Recognised by', steps: { running: 'running', applied: 'applied: fetched and registered again', 'fetched-not-registered': 'fetched, did not register again', 'no-answer': 'did not answer' },
    kind: { dhcp: 'DHCP', pnp: 'PnP', file: 'File', upload: 'Upload', register: 'Register', unregister: 'Unregister', expired: 'Expired', 'flow-lost': 'Connection lost', auth: 'Wrong password', connect: 'Connection', call: 'Call', admin: 'Administrator', notify: 'Notify' },
  },
  extensions: {
    title: 'Extensions', add: 'Add an extension', number: 'Number', name: 'Name', user: 'SIP user', contacts: 'Live contacts', rotate: 'New password',
    rotateHint: 'Softphones need the new password at once. Provisioned phones have passwords of their own.', password: 'SIP password, shown this once', rings: 'A call rings these', silent: 'Nobody is registered.',
  },
  keys: { title: 'Keys', add: 'Make a key', name: 'Name', scopes: 'Scopes', expires: 'Expires', used: 'Last used', created: 'Made', shown: 'The key, shown this once', revoke: 'Revoke' },
  templates: {
    title: 'Templates', add: 'New template', upload: 'Upload a file', name: 'Name', vendor: 'Maker', file: 'File', models: 'Models', revision: 'Revision', state: 'State', builtin: 'built in', active: 'active', stored: 'stored, not active',
    behind: 'behind', behindHint: 'The built-in template has changed since this one was made from it.', fault: 'fault', updated: 'Changed', changes: 'Uploading stores a revision after it has been checked; nothing that is broken reaches a phone.', nameHint: 'a-z, 0-9 and -',
    choose: 'Choose a file', allModels: 'all of the maker', open: (name) => `Open ${name}`,
  },
  template: {
    text: 'Text', check: 'Check', checking: 'Checking…', right: (bytes) => `It may be used; the largest sample is ${bytes} bytes.`, wrong: (n) => (n === 1 ? 'One fault' : `${n} faults`), at: (line, column) => `Line ${line}, column ${column}`, preview: 'Preview', phone: 'Phone',
    noPhones: 'No provisioned phone of this maker.', previewFile: 'The file of this phone, secrets masked', notYet: 'It is shown as soon as the text has no fault.', unsaved: 'not stored yet', difference: 'Difference', against: 'From', same: 'There is no difference.', impact: 'What it would do', activate: 'Activate', store: 'Store without activating', note: 'Note', impactHint: 'Nothing has been stored yet.',
    concerned: 'get their file from it', changed: 'get another file', failed: 'could not be rendered', phones: 'Phones of the maker', activated: (n) => `Revision ${n} is active.`, kept: (n) => `Revision ${n} is stored.`, revisions: 'Revisions', rollback: 'Make active', by: 'By', merge: 'Merge', merged: (n) => (n === 0 ? 'Merged. Look at it, then activate it.' : `Merged; ${n} places between marks are for you to decide.`),
    variables: 'Variables', variablesHint: 'One a line: name type default, for example logo text Hotel. Types: text, number, bool, choice a|b.', remove: 'Remove', removeHint: 'Phones get the built-in template again.', minFirmware: 'From firmware', maxFirmware: 'To firmware', builtinText: 'built-in', edited: 'the text here', warnings: 'Noticed', builtinAgain: 'Use the built-in one', builtinActive: 'The built-in template is active; the revisions stay.', modelsHint: 'With commas; none: all of the maker', restored: (n) => `Revision ${n} is active again.`,
  },
  firmware: {
    title: 'Firmware', upload: 'Upload an image', file: 'Image', vendor: 'Maker', models: 'Models', version: 'Version', size: 'Size', uploaded: 'Uploaded', name: 'File name', hint: 'What the name of the file tells may be left out.', requires: 'Needs at least', sent: (percent) => `${percent} % sent`, storing: 'Sent; the server checks and stores it…',
    stored: 'The image is stored.', targets: 'Which model runs what', target: 'Set a target', image: 'Image', model: 'Model', hardware: 'Hardware', downgrade: 'Newer phones go back to it as well', waves: 'In waves: a few first, the rest when they have come back', canary: 'Phones of the first wave', halt: 'Halt when more than this fail, percent', job: 'Rollout', noTargets: 'No model has a target: phones keep what they have.',
    set: 'The target is set.', rollout: 'The rollout has started.', none: 'No image was uploaded yet.', any: 'any', removeTarget: 'Offer nothing', vendorAuto: 'as the name tells', warnings: 'Noticed', drop: 'An image that is a target cannot be deleted.', required: 'Choose a file.', soak: 'Seconds between waves', first: 'Upload an image first.',
  },
  dhcp: {
    title: 'DHCP', hint: 'Phones ask the DHCP server of their network where their files are. Give yours one of these.', server: 'DHCP server', tried: 'read by this server in a test', untried: 'made after the documentation of the server, not tried', none: 'The server tells phones no URL: set provision.url or advertise.', needs: 'What phones ask for',
    needsHint: 'docs/VENDORS.md says where each of these comes from and which were not verified.', makers: [
      { maker: 'Polycom', options: '66 or 160: the URL without a slash at its end', also: 'VLAN: 128, 144, 157 or 191 as VLAN-A=10;' }, { maker: 'Yealink', options: '66: the URL with a slash at its end; 160; 43 with sub-option 1', also: 'VLAN: 132 as digits; priority 133' },
      { maker: 'Grandstream', options: '66: the URL without a slash at its end; 160; 43 with sub-option 2', also: 'VLAN: 132 and 133 as digits' }, { maker: 'Grandstream BT, GXP2000, HT286, HT49x', options: '66: a host name or address; the phone then asks it by TFTP', also: '' }], maker: 'Maker', options: 'Options, the preferred one first', also: 'Besides', answer: 'What phones asked and got', answerHint: 'What phones ask by DHCP and PnP while this page is open; what was before is in their timelines.', quiet: 'No phone has asked since the page was opened.', others: 'Other DHCP servers', othersHint: 'Whether others answer phones is counted in the metric dialtone_dhcp_foreign_total, and logged with their address.',
    heard: (n) => `${n} replies of other servers were heard.`, notHeard: 'No reply of another server was heard.', off: 'The DHCP helper of this server is off, so others are not heard.',
  },
  settings: {
    title: 'Settings', layer: 'Layer', scope: 'Which phones', name: 'Which one', open: 'Open', scopes: { global: 'All phones', site: 'A site', vendor: 'A maker', model: 'A model', group: 'A group' }, order: 'A later layer wins: all phones, site, maker, model, group, the phone, its line.', inherit: 'not set here', example: (x) => `e.g. ${x}`, groups: { account: 'Accounts', time: 'Time and language', network: 'Network', access: 'Access', provisioning: 'Provisioning', behaviour: 'Behaviour' },
    noEffect: (makers) => `No effect on ${makers}`, raw: 'Parameters of the maker', rawHint: 'One a line: name = value. They go into the file as they are.', secret: 'Is set; type to replace it.', clear: 'Clear', saved: (n) => `Saved. Layers are at revision ${n}.`, remove: 'Remove the layer', filter: 'Find a setting', only: 'Only what is set here', line: 'Of a line', layers: 'Layers there are', changed: 'Changed', count: 'Settings', removed: 'The layer is removed.', readonly: 'Your key may look at settings only.',
    effective: 'Effective settings', effectiveHint: 'What the layers make of this phone.', value: 'Value', setting: 'Setting', from: 'From', unknownModel: 'The model is not in the catalogue; it gets what all phones of its maker get.',
  },
  audit: { title: 'Audit', at: 'When', who: 'Key', what: 'What', about: 'About', status: 'Answer', detail: 'Details', source: 'From', subject: 'Only about', subjectHint: 'Id of a phone or key, number of an extension', none: 'Nothing was done yet.', before: 'Show', request: 'Request' },
  pending: {
    title: 'Waiting phones', none: 'No phone is waiting. Plug one in; it appears here as soon as it asks for its files.', window: 'Enrollment window', closed: 'Closed: phones that nobody provisioned are only listed.', openUntil: (when) => `Open until ${when}.`, taken: (n, of) => `${n} of ${of} phones let in.`, open: 'Open a window', close: 'Close it', phones: 'Phones at most', minutes: 'Minutes', subnet: 'Network', subnetHint: 'For example 10.20.0.0/16; empty: provision.lan',
    mode: 'What they get', modes: { pending: 'a claim code on the display', auto: 'the lowest free extension' }, claim: 'Adopt by claim code', claimHint: 'The phone shows six digits while the window is open.', code: 'Claim code', adopt: 'Adopt', adopted: (n) => `Adopted as ${n}. It fetches its configuration now.`, bans: 'Sources over their budget', bansHint: 'They ask for phones that nobody has. As text for a firewall:', source: 'Source', reason: 'Why', until: 'Until', noBans: 'None.', reasons: { scan: 'asks for many phones', decoy: 'asked for a decoy' }, since: 'Since', agent: 'It says it is',
  },
  jobs: { title: 'Jobs', kind: 'Kind', state: 'State', phones: 'Phones', started: 'Started', none: 'No job was started yet.' },
};
