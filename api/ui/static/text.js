// Every text of the page that people read, in one place. Names of settings, states
// and fields that the API gives are shown as the API gives them.
export const text = {
  title: 'dialtone',
  makers: { polycom: 'Polycom', yealink: 'Yealink', grandstream: 'Grandstream' },
  login: {
    title: 'Log in', key: 'API key', enter: 'Log in', leave: 'Log out',
    hint: 'The first start printed a key; it is also in data/admin.key. The browser keeps it in a cookie that no script can read.',
    over: 'The session is over. What you have typed is still here: log in and go on.',
  },
  nav: {
    dashboard: 'Overview', phones: 'Phones', extensions: 'Extensions', templates: 'Templates', firmware: 'Firmware',
    pending: 'Waiting', dhcp: 'DHCP', settings: 'Settings', jobs: 'Jobs', audit: 'Audit', keys: 'Keys',
  },
  problem: {
    status: (n) => `The server answered ${n}.`, gone: 'The server does not answer. Nothing was lost; try again.', broke: 'The connection broke.', offline: 'The server does not answer. What is shown may be old; this page goes on trying.',
    row: (n) => `Row ${n}: `, line: (n) => `Line ${n}: `,
  },
  conflict: {
    title: 'Somebody else has changed this in the meantime.', hint: 'Nothing was stored. Load what there is now, or store yours over it.', difference: 'Show the difference', what: 'What', theirs: 'Stored now', mine: 'Yours', same: 'There is no difference any more.', empty: 'nothing',
    reload: 'Load what is stored', overwrite: 'Store mine over it',
  },
  common: {
    skip: 'Skip to the content', menu: 'Menu', main: 'Main', actions: 'Actions', dismiss: 'Close the message', again: 'Try again', selectedText: 'Selected: copy it with Ctrl+C', missingTitle: 'Not found',
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
    title: 'Overview', phones: 'Phones', byType: 'By type', byVendor: 'By maker', byState: 'By state', live: 'Live', liveHint: 'What happens now, newest first', overTime: 'Registered phones', pending: (n) => `Waiting to be adopted: ${n}`,
    hardware: 'Hardware', softphone: 'Softphone', webrtc: 'Browser', mobile: 'Mobile', quiet: 'Nothing has happened since the page was opened.', drift: (n) => `Differ from what is provisioned: ${n}`, outcomes: 'Files that phones asked for',
    hours: { 24: 'the last 24 hours', 6: 'the last 6 hours', 1: 'the last hour' }, span: 'Of which time', curve: (now, low, high) => `${now.toLocaleString()} now${low === high ? '' : `, between ${low.toLocaleString()} and ${high.toLocaleString()}`}.`, noPhones: 'No phones yet.', noFiles: 'No phone has asked for a file.', begin: 'There are no phones yet. Tell phones where their files are, or add one:',
    outcome: { ok: 'served', 'not-modified': 'had it already', 'not-found': 'not found', denied: 'refused', error: 'failed', aborted: 'broken off', stale: 'an older one served' },
  },
  phones: {
    title: 'Phones', add: 'Add a phone', importCSV: 'Import', exportCSV: 'Export', extension: 'Extension', state: 'State', phone: 'Phone', mac: 'MAC address', macExample: '00:15:65:aa:bb:01', modelExample: 'T46S', macHint: 'Any spelling; it stands on the label at the back of the phone.', ip: 'IP address', seen: 'Last registered',
    registered: 'Registered', type: 'Type', maker: 'Maker', drift: 'Drift', drifts: { model: 'in the model', extension: 'in the extension', configuration: 'in the configuration', vendor: 'in the maker', mac: 'in the MAC address', type: 'in the type' }, caption: 'Phones, brought up to date as things happen',
    resync: 'Resync', reboot: 'Restart', select: 'Select', notOurs: 'It gets no files here.', selectAll: 'Select all shown', selectFound: 'Select all that are found', selectNone: 'Select none', chosen: 'What to do with the phones selected', everything: 'All that are found are selected', none: 'No phone fits.', empty: 'There are no phones yet. One that is plugged in shows up by itself.', model: 'Model', name: 'Name', site: 'Site', line: 'Line',
    added: 'The phone is in the list; it gets its configuration when it asks.', searchHint: 'Name, MAC, IP…', found: (n, more, of) => (n === 0 ? '' : more ? (of ? `${n} of ${of.toLocaleString()} shown` : `${n} shown, and there are more`) : n === 1 ? '1 phone' : `${n} phones`),
    importHint: 'A CSV file with the columns mac, model, extension, name, site. Nothing is stored unless every row is right.', importExample: 'mac,model,extension,name,site\n00:15:65:aa:bb:01,T46S,101,Reception,Berlin',
  },
  importing: {
    file: 'CSV file', example: 'Example', check: 'Check', store: 'Import', progress: 'Import', sent: (percent) => `${percent} % sent`, checking: 'Sent; the server looks at every row…', right: (n) => (n === 1 ? 'The row is right. Nothing is stored yet.' : `All ${n.toLocaleString()} rows are right. Nothing is stored yet.`),
    stored: (n) => `${n.toLocaleString()} imported.`, wrong: 'Rows that are wrong', row: 'Row', column: 'Column', reason: 'What is wrong',
  },
  job: {
    job: 'Job', kinds: { resync: 'Resync', reboot: 'Restart', firmware: 'Firmware', template: 'Template' }, progress: 'Phones done', counts: (c) => `${c.succeeded} of ${c.total} done${c.failed ? `, ${c.failed} failed` : ''}${c.working ? `, ${c.working} under way` : ''}${c.skipped ? `, ${c.skipped} skipped` : ''}`,
    many: (n) => (n === 1 ? 'One phone, at once.' : n === Infinity ? 'All phones that are found and get their files here, in waves: a few first, the rest when they are well.' : `${n.toLocaleString()} phones, in waves: a few first, the rest when they are well.`), canary: 'Phones of the first wave', canaryHint: '0: all at once', soak: 'Seconds between waves', halt: 'Halt when more than this fail, percent', jitter: 'Spread each wave over, seconds', jitterHint: 'So that not all come back at one moment',
  },
  handset: {
    pages: 'Pages of keys', before: 'Key ', range: (from, to) => (from === to ? `Key ${from}` : `Keys ${from}–${to}`), module: (n) => `Module ${n}`, key: (n) => `Key ${n}`, moduleKey: (m, n) => `Module ${m}, key ${n}`, free: 'free', lines: (on, of) => (of === 1 ? (on ? 'registered' : 'not registered') : `${on} of ${of} lines registered`),
    types: { line: 'Line', blf: 'BLF', speeddial: 'Speed dial', park: 'Park', dtmf: 'DTMF', none: 'Nothing' }, noKeys: 'This model has no keys that can be set.', unknownModule: 'How many keys a module of this model has is not known; keys that are set are shown here.', unverified: 'A number of this model has no confirmed source.',
    does: 'What it does', byItself: 'what the phone does by itself', value: 'Number or code', valueHint: 'Of a BLF key the extension it watches', 
  },
  phone: {
    stuck: 'Where it is stuck', well: 'All is well.', lines: 'Lines', timeline: 'Timeline', config: 'Configuration', resync: 'Resync', reboot: 'Restart', edit: 'Edit', remove: 'Delete',
    explain: 'Explain', file: 'File', uploads: 'Uploaded by the phone', size: 'Size', uploaded: 'Stored', offered: 'Firmware offered', retry: 'Offer the image again', retried: 'It is offered again.', facts: 'Facts', from: 'Template line', layer: 'Layer', content: 'Content', adopt: 'Adopt', extension: 'Extension',
    adoptHint: 'Give it an extension; the phone configures itself.', replace: 'Replace', replaceHint: 'The new phone gets lines, settings and name; the passwords of the old one end.', newMAC: 'MAC address of the new phone',
    deleted: 'The phone is deleted.', settings: 'Settings', settingsHint: 'One a line: timezone = Europe/Berlin', keys: 'Keys', keysHint: 'Press a key to say what it does.', matched: 'Recognised by', matches: { sipUser: 'its own SIP user', sipInstance: 'the MAC address in +sip.instance', userAgentMac: 'the MAC address in its User-Agent', lineAndIp: 'its line and address' },
    label: 'Label', addLine: 'Add a line', removeLine: (n) => `Remove line ${n}`, rotate: 'New passwords', rotateHint: 'Every line of the phone gets a new password. The old ones stay good until the phone has used its new ones; resync it so that it fetches them.', rotated: 'The lines have new passwords; resync the phone.', replaceModel: 'Empty: as the old one', replaced: (mac) => `It is ${mac} now. Plug the new phone in.`,
    path: 'Secret path', pathHint: 'The phone gets a path of its own, which only it knows: with it a phone outside of the office network is served. An earlier path is worth nothing then.', pathMake: 'Make one', pathShown: 'The URL, shown this once', pathUntil: (when) => `The phone has to fetch its files with it before ${when}.`,
    changedMeanwhile: 'Somebody else has changed this phone in the meantime; look at it again.', firmware: 'Firmware', agent: 'User-Agent', fetched: 'Fetched its files', bytes: (n) => `${n} B`, ms: (n) => `${n} ms`, times: (n) => `${n} times`, quiet: 'Nothing has happened yet.', steps: { running: 'running', applied: 'applied: fetched and registered again', 'fetched-not-registered': 'fetched, did not register again', 'no-answer': 'did not answer', done: 'done', paused: 'paused', halted: 'halted', aborted: 'aborted', waiting: 'waiting', working: 'under way', skipped: 'skipped', succeeded: 'done', failed: 'failed' },
    kind: { dhcp: 'DHCP', pnp: 'PnP', file: 'File', upload: 'Upload', register: 'Register', unregister: 'Unregister', expired: 'Expired', 'flow-lost': 'Connection lost', auth: 'Wrong password', connect: 'Connection', sip: 'Registration', call: 'Call', admin: 'Administrator', notify: 'Notify' },
  },
  extensions: {
    title: 'Extensions', add: 'Add an extension', number: 'Number', name: 'Name', user: 'SIP user', contacts: 'Live contacts', show: 'Show contacts', rotate: 'New password',
    rotateHint: 'Softphones need the new password at once. Provisioned phones have passwords of their own.', password: 'SIP password, shown this once', rings: 'A call rings these', silent: 'Nobody is registered.', none: 'No extension fits.', empty: 'There are no extensions yet.', searchHint: 'The beginning of a number, or a part of a name', removeHint: 'Phones that ring for it ring no more. Are you sure?', uri: 'URI', transport: 'Transport', toPhone: 'open',
    importCSV: 'Import', importHint: 'A CSV file with the columns number, name, sip_username, sip_password; the last two may be empty. Nothing is stored unless every row is right.', importExample: 'number,name,sip_username,sip_password\n101,Front Desk,,',
  },
  keys: { title: 'Keys', add: 'Make a key', name: 'Name', scopes: 'Scopes', expires: 'Expires', used: 'Last used', created: 'Made', shown: 'The key, shown this once', revoke: 'Revoke', revoked: 'The key is good no more.', revokeHint: 'Who uses it is refused from now on. Are you sure?', revokeOwn: 'You are logged in with this key: you will be logged out. Are you sure?', own: 'yours', expired: 'expired', expiresHint: 'Empty: never', count: (n) => `${n} scopes` },
  templates: {
    title: 'Templates', add: 'New template', upload: 'Upload a file', name: 'Name', vendor: 'Maker', file: 'File', models: 'Models', revision: 'Revision', state: 'State', builtin: 'built in', active: 'active', stored: 'stored, not active',
    behind: 'behind', behindHint: 'The built-in template has changed since this one was made from it.', fault: 'fault', updated: 'Changed', changes: 'Uploading stores a revision after it has been checked; nothing that is broken reaches a phone.', nameHint: 'a-z, 0-9 and -',
    choose: 'Choose a file', allModels: 'all of the maker', open: (name) => `Open ${name}`,
  },
  pack: {
    upload: 'Upload a pack', download: 'Download the pack', file: 'Zip file', hint: 'A zip file with manifest.json and the texts it names. All templates are checked, then stored and active for all their phones at once; when one is wrong nothing is stored.', example: 'Example of manifest.json', sent: (percent) => `${percent} % sent`, checking: 'Sent; the server checks every template…',
    manifest: '[{"name": "lobby", "vendor": "yealink", "path": "lobby.tmpl", "models": ["T46S"],\n  "variables": [{"name": "greeting", "type": "text", "default": "Hotel", "help": "Shown when idle"}]}]',
    stored: (n) => (n === 1 ? 'The template of the pack is stored and active.' : `The ${n} templates of the pack are stored and active.`), noticed: (n) => (n === 1 ? 'One thing was noticed; open the template to see it.' : `${n} things were noticed; open the templates to see them.`), refused: 'Nothing was stored.', wrong: 'What is wrong with the pack', in: 'File', whole: 'the pack', field: 'Field', line: 'Line', reason: 'What is wrong',
    declared: 'What it declares', setting: 'Setting', type: 'Type', byDefault: 'Default', help: 'What it is for', set: 'Set it for', where: 'A value is set under this name in a layer of settings, or in the settings of one phone, which win.', anyFirmware: 'any', from: (v) => `from ${v}`, until: (v) => `up to ${v}`, between: (a, b) => `${a} to ${b}`,
  },
  template: {
    text: 'Text', check: 'Check', checking: 'Checking…', right: (bytes) => `It may be used; the largest sample is ${bytes} bytes.`, wrong: (n) => (n === 1 ? 'One fault' : `${n} faults`), at: (line, column) => `Line ${line}, column ${column}`, preview: 'Preview', phone: 'Phone',
    noPhones: 'No provisioned phone of this maker.', previewFile: 'The file of this phone, secrets masked', notYet: 'It is shown as soon as the text has no fault.', unsaved: 'not stored yet', discard: 'Discard what was typed', difference: 'Difference', against: 'From', same: 'There is no difference.', impact: 'What it would do', activate: 'Activate', store: 'Store without activating', note: 'Note', impactHint: 'Nothing has been stored yet.',
    concerned: 'get their file from it', changed: 'get another file', failed: 'could not be rendered', phones: 'Phones of the maker', activated: (n) => `Revision ${n} is active.`, kept: (n) => `Revision ${n} is stored.`, revisions: 'Revisions', rollback: 'Make active', by: 'By', merge: 'Merge', merged: (n) => (n === 0 ? 'Merged. Look at it, then activate it.' : `Merged; ${n} places between marks are for you to decide.`),
    variables: 'Variables', variablesHint: 'One a line: name type default, for example logo text Hotel. Types: text, number, bool, choice a|b.', remove: 'Remove', removeHint: 'Phones get the built-in template again.', minFirmware: 'From firmware', maxFirmware: 'To firmware', builtinText: 'built-in', edited: 'the text here', warnings: 'Noticed', builtinAgain: 'Use the built-in one', builtinActive: 'The built-in template is active; the revisions stay.', modelsHint: 'With commas; none: all of the maker', restored: (n) => `Revision ${n} is active again.`,
  },
  trial: {
    how: 'Who gets it', atOnce: 'All phones at once, with their next file', inWaves: 'Registered phones in waves, a few first', waves: 'Waves', hint: 'Each phone of a wave has to fetch its files and register again before the next wave begins. When all have, every phone gets the revision, those that are off as well.',
    percents: 'Further waves, percent of all', percentsHint: 'Rising, with commas; empty: the rest in one wave', haltHint: '0: the first that fails', onHalt: 'When it halts', halts: { rollback: 'those that were reached get the earlier revision again', keep: 'wait until somebody goes on or aborts' },
    title: (n) => `Revision ${n} in waves`, at: (n) => `wave ${n}`, each: 'The waves', well: 'Registered again', failed: 'Failed', before: (n) => (n ? `revision ${n}` : 'the built-in template'), meanwhile: (n, before) => `Phones that were reached get revision ${n}, the others ${before}.`, everybody: (n) => `It has ended: every phone gets revision ${n} now.`, back: (before) => `It has ended: every phone gets ${before} now.`, started: 'The first wave has begun.', ending: 'The server is about to end it; what phones get now is not certain yet.',
  },
  firmware: {
    title: 'Firmware', upload: 'Upload an image', file: 'Image', vendor: 'Maker', models: 'Models', version: 'Version', size: 'Size', uploaded: 'Uploaded', name: 'File name', hint: 'What the name of the file tells may be left out.', requires: 'Needs at least', sent: (percent) => `${percent} % sent`, storing: 'Sent; the server checks and stores it…',
    stored: 'The image is stored.', targets: 'Which model runs what', target: 'Set a target', image: 'Image', model: 'Model', hardware: 'Hardware', downgrade: 'Newer phones go back to it as well', waves: 'In waves: a few first, the rest when they have come back', canary: 'Phones of the first wave', halt: 'Halt when more than this fail, percent', job: 'Rollout', noTargets: 'No model has a target: phones keep what they have.',
    set: 'The target is set.', setAt: 'Set', rollout: 'The rollout has started.', none: 'No image was uploaded yet.', any: 'any', removeTarget: 'Offer nothing', vendorAuto: 'as the name tells', warnings: 'Noticed', drop: 'An image that is a target cannot be deleted.', required: 'Choose a file.', soak: 'Seconds between waves', timeout: 'Seconds that a phone may take', first: 'Upload an image first.',
  },
  dhcp: {
    title: 'DHCP', hint: 'Phones ask the DHCP server of their network where their files are. Give yours one of these.', server: 'DHCP server', tried: 'read by this server in a test', untried: 'made after the documentation of the server, not tried', none: 'The server tells phones no URL: set provision.url or advertise.', needs: 'What phones ask for',
    needsHint: 'docs/VENDORS.md says where each of these comes from and which were not verified.', makers: [
      { maker: 'Polycom', options: '66 or 160: the URL without a slash at its end', also: 'VLAN: 128, 144, 157 or 191 as VLAN-A=10;' }, { maker: 'Yealink', options: '66: the URL with a slash at its end; 160; 43 with sub-option 1', also: 'VLAN: 132 as digits; priority 133' },
      { maker: 'Grandstream', options: '66: the URL without a slash at its end; 160; 43 with sub-option 2', also: 'VLAN: 132 and 133 as digits' }, { maker: 'Grandstream BT, GXP2000, HT286, HT49x', options: '66: a host name or address; the phone then asks it by TFTP', also: '' }], maker: 'Maker', options: 'Options, the preferred one first', also: 'Besides', answer: 'What phones asked and got', answerHint: 'What phones ask by DHCP and PnP while this page is open; what was before is in their timelines.', quiet: 'No phone has asked since the page was opened.', others: 'Other DHCP servers', othersHint: 'What they broadcast to phones is overheard on the interfaces of this server; a finding is also logged, counted in dialtone_dhcp_foreign_total and sent as an event.',
    wrong: (n) => (n === 1 ? 'One of them misleads phones.' : `${n} of them mislead phones.`), heard: (n) => (n === 1 ? 'One other server was heard; it may be there.' : `${n} other servers were heard; they may be there.`), notHeard: 'No reply of another server was heard.', off: 'The DHCP helper of this server is off, so others are not heard.',
    pieces: 'For your DHCP server', address: 'Server', interface: 'Interface', first: 'First heard', last: 'Last heard', replies: 'Replies', tells: 'What it tells phones', verdict: 'Verdict', fine: 'may be there',
  },
  settings: {
    title: 'Settings', layer: 'Layer', scope: 'Which phones', name: 'Which one', open: 'Open', scopes: { global: 'All phones', site: 'A site', vendor: 'A maker', model: 'A model', group: 'A group' }, order: 'A later layer wins: all phones, site, maker, model, group, the phone, its line.', inherit: 'not set here', example: (x) => `e.g. ${x}`, groups: { account: 'Accounts', time: 'Time and language', network: 'Network', access: 'Access', provisioning: 'Provisioning', behaviour: 'Behaviour' },
    noEffect: (makers) => `No effect on ${makers}`, raw: 'Parameters of the maker', rawHint: 'One a line: name = value. They go into the file as they are.', secret: 'Is set; type to replace it.', clear: 'Clear', saved: (n) => `Saved. Layers are at revision ${n}.`, remove: 'Remove the layer', filter: 'Find a setting', only: 'Only what is set here', line: 'Of a line', layers: 'Layers there are', changed: 'Changed', count: 'Settings', removed: 'The layer is removed.', readonly: 'Your key may look at settings only.',
    effective: 'Effective settings', effectiveHint: 'What the layers make of this phone.', value: 'Value', setting: 'Setting', from: 'From', unknownModel: 'The model is not in the catalogue; it gets what all phones of its maker get.',
  },
  audit: {
    title: 'Audit', hint: 'Every call that changed something or showed a secret.', at: 'When', who: 'Key', what: 'What', about: 'About', status: 'Answer', detail: 'Details', source: 'Source', subject: 'Only about', subjectHint: 'Id of a phone or key, number of an extension', none: 'Nothing was done yet.', noneFits: 'Nothing of that kind was done.', before: 'Show', request: 'Request', from: 'From', to: 'Until',
    actions: { '/phones': 'phones', '/extensions': 'extensions', '/templates': 'templates', '/firmware': 'firmware', '/settings': 'settings', '/keys': 'keys', '/jobs': 'jobs', '/enrollment': 'enrollment', '/bans': 'bans', POST: 'made or started', PATCH: 'changed', PUT: 'replaced', DELETE: 'deleted', GET: 'secrets read' }, names: { secretShown: 'Secret shown', macAddress: 'MAC address', job: 'Job', rows: 'Rows', dryRun: 'Dry run', replayed: 'Sent again' },
  },
  pending: {
    title: 'Waiting phones', none: 'No phone is waiting. Plug one in; it appears here as soon as it asks for its files.', window: 'Enrollment window', closed: 'Closed: phones that nobody provisioned are only listed.', openUntil: (when) => `Open until ${when}.`, taken: (n, of) => `${n} of ${of} phones let in.`, open: 'Open a window', close: 'Close it', phones: 'Phones at most', minutes: 'Minutes', subnet: 'Network', subnetHint: 'For example 10.20.0.0/16; empty: provision.lan',
    mode: 'What they get', modes: { pending: 'a claim code on the display', auto: 'the lowest free extension' }, claim: 'Adopt by claim code', claimHint: 'The phone shows six digits while the window is open.', code: 'Claim code', adopt: 'Adopt', adopted: (n) => `Adopted as ${n}. It fetches its configuration now.`, bans: 'Sources over their budget', bansHint: 'They ask for phones that nobody has. As text for a firewall:', bansCall: 'curl -H "Accept: text/plain" …/v1/pbx/bans', lift: 'Lift', liftTitle: 'Lift the ban', liftHint: (source) => `${source} may ask again at once, with its whole budget.`, lifted: (source) => `${source} may ask again.`, source: 'Source', reason: 'Why', until: 'Until', noBans: 'None.', reasons: { scan: 'asks for many phones', decoy: 'asked for a decoy' }, since: 'Since', agent: 'It says it is',
  },
  jobs: { title: 'Jobs', kind: 'Kind', state: 'State', phones: 'Phones', wave: 'Wave', reason: 'Why', started: 'Started', none: 'No job was started yet.', orders: { pause: 'Pause', resume: 'Go on', abort: 'Abort' }, open: (kind, id) => `${kind} ${id}: its phones` },
};
