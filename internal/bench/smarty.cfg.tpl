{* The file of a Yealink phone as templates/yealink writes it, in Smarty's language:
   the same questions, the same settings, no escaping. The benchmark compares what the
   two write byte by byte. *}
#!version:1.0.0.1
# {$v.MAC.Hex}: what stands further down wins.
{if $v.ProvisionURL}
static.auto_provision.server.url = {$v.ProvisionURL}
auto_provision.server.url = {$v.ProvisionURL}
{/if}
{if $v.Sticky}
static.auto_provision.dhcp_option.enable = 0
static.auto_provision.pnp_enable = 0
{/if}
local_time.ntp_server1 = {$v.NTP}
local_time.dhcp_time = 0
local_time.time_zone = {$v.TimeZone.YealinkZone}
{if $v.TimeZone.YealinkName}
local_time.time_zone_name = {$v.TimeZone.YealinkName}
{/if}
{if $v.TimeZone.Saving}
local_time.summer_time = 1
local_time.dst_time_type = 1
local_time.start_time = {$v.TimeZone.Start.Month}/{$v.TimeZone.Start.Week}/{$v.TimeZone.Start.MondayOne}/{$v.TimeZone.Start.Hour}
local_time.end_time = {$v.TimeZone.End.Month}/{$v.TimeZone.End.Week}/{$v.TimeZone.End.MondayOne}/{$v.TimeZone.End.Hour}
local_time.offset_time = {$v.TimeZone.Saving/60}
{else}
local_time.summer_time = 0
{/if}
{if $v.AdminPassword}
static.security.user_password = admin:{$v.AdminPassword}
security.user_password = admin:{$v.AdminPassword}
{/if}
{if $v.UserPassword}
static.security.user_password = user:{$v.UserPassword}
security.user_password = user:{$v.UserPassword}
{/if}
{if $v.ProvisionUser}
static.auto_provision.server.username = {$v.ProvisionUser}
static.auto_provision.server.password = {$v.ProvisionPassword}
auto_provision.server.username = {$v.ProvisionUser}
auto_provision.server.password = {$v.ProvisionPassword}
{/if}
{foreach $v.Lines as $l}
account.{$l.Number}.enable = 1
account.{$l.Number}.label = {$l.Label}
account.{$l.Number}.display_name = {$l.DisplayName}
account.{$l.Number}.user_name = {$l.User}
account.{$l.Number}.auth_name = {$l.AuthUser}
account.{$l.Number}.password = {$l.Password}
account.{$l.Number}.sip_server.1.address = {$l.Server.Host}
account.{$l.Number}.sip_server.1.port = {$l.Server.Port}
account.{$l.Number}.sip_server.1.transport_type = {$transports[$l.Server.Transport]}
account.{$l.Number}.sip_server.1.expires = {$l.Server.Expires}
{if $l.Server.OutboundProxy.Host}
account.{$l.Number}.outbound_proxy_enable = 1
account.{$l.Number}.outbound_proxy.1.address = {$l.Server.OutboundProxy.Host}
account.{$l.Number}.outbound_proxy.1.port = {$l.Server.OutboundProxy.Port}
{else}
account.{$l.Number}.outbound_proxy_enable = 0
{/if}
account.{$l.Number}.unregister_on_reboot = 0
{if $l.SRTP}
account.{$l.Number}.srtp_encryption = {$srtp[$l.SRTP]}
{/if}
{foreach $l.Codecs as $c}
account.{$l.Number}.codec.{$codecs[$c.Name]}.enable = {$c.Enabled}
{if $c.Priority}
account.{$l.Number}.codec.{$codecs[$c.Name]}.priority = {$c.Priority}
{/if}
{/foreach}
{if $l.DTMF}
account.{$l.Number}.dtmf.type = {$dtmf[$l.DTMF]}
{/if}
{if $l.Voicemail}
voice_mail.number.{$l.Number} = {if $l.Voicemail != "off"}{$l.Voicemail}{/if}

{/if}
{if $l.MWI}
account.{$l.Number}.subscribe_mwi = {$l.MWI}
{/if}
{if $l.Ring}
account.{$l.Number}.ringtone.ring_type = Ring{$l.Ring}.wav
{/if}
{if $l.DND}
account.{$l.Number}.dnd.enable = {$l.DND}
{/if}
{if $l.ForwardAlways}
account.{$l.Number}.always_fwd.enable = {if $l.ForwardAlways == "off"}0{else}1{/if}

account.{$l.Number}.always_fwd.target = {if $l.ForwardAlways != "off"}{$l.ForwardAlways}{/if}

{/if}
{if $l.ForwardBusy}
account.{$l.Number}.busy_fwd.enable = {if $l.ForwardBusy == "off"}0{else}1{/if}

account.{$l.Number}.busy_fwd.target = {if $l.ForwardBusy != "off"}{$l.ForwardBusy}{/if}

{/if}
{if $l.ForwardNoAnswer}
account.{$l.Number}.timeout_fwd.enable = {if $l.ForwardNoAnswer == "off"}0{else}1{/if}

account.{$l.Number}.timeout_fwd.target = {if $l.ForwardNoAnswer != "off"}{$l.ForwardNoAnswer}{/if}

{/if}
{/foreach}
{foreach $unused as $n}
account.{$n}.enable = 0
{/foreach}
{if $v.VLAN.ID}
static.network.vlan.internet_port_enable = {if $v.VLAN.ID == "0"}0{else}1{/if}

network.vlan.internet_port_enable = {if $v.VLAN.ID == "0"}0{else}1{/if}

{if $v.VLAN.ID != "0"}
static.network.vlan.internet_port_vid = {$v.VLAN.ID}
network.vlan.internet_port_vid = {$v.VLAN.ID}
{/if}
{/if}
{if $v.VLAN.Priority}
static.network.vlan.internet_port_priority = {$v.VLAN.Priority}
network.vlan.internet_port_priority = {$v.VLAN.Priority}
{/if}
{if $v.LLDP}
static.network.lldp.enable = {$v.LLDP}
network.lldp.enable = {$v.LLDP}
{/if}
{if $v.CDP}
static.network.cdp.enable = {$v.CDP}
{/if}
{if $v.QoS.SIP}
static.network.qos.signaltos = {$v.QoS.SIP}
network.qos.signaltos = {$v.QoS.SIP}
{/if}
{if $v.QoS.RTP}
static.network.qos.rtptos = {$v.QoS.RTP}
network.qos.rtptos = {$v.QoS.RTP}
{/if}
{if $v.TimeFormat}
local_time.time_format = {$formats[$v.TimeFormat]}
{/if}
{if $v.Language}
lang.gui = {$languages[$v.Language]}
lang.wui = {$languages[$v.Language]}
{/if}
{if $v.Web.Enabled}
static.wui.http_enable = {if $v.Web.HTTPS == "1"}0{else}{$v.Web.Enabled}{/if}

static.wui.https_enable = {$v.Web.Enabled}
{/if}
{if $v.Syslog.Server}
static.syslog.enable = 1
static.syslog.server = {$v.Syslog.Server}
syslog.server = {$v.Syslog.Server}
{/if}
{if $v.Volume.Ring}
voice.ring_vol = {$v.Volume.Ring}
{/if}
{if $v.Call.Waiting}
call_waiting.enable = {$v.Call.Waiting}
{/if}
{if $v.Call.DNDAllowed}
features.dnd.allow = {$v.Call.DNDAllowed}
{/if}
{if $v.Call.ForwardAllowed}
features.fwd.allow = {$v.Call.ForwardAllowed}
{/if}
{if $v.Call.Pickup}
features.pickup.direct_pickup_code = {$v.Call.Pickup}
{/if}
{if $v.Wallpaper}
wallpaper_upload.url = {$v.Wallpaper}
{/if}
{if $v.Schedule.Daily}
static.auto_provision.weekly.enable = 1
static.auto_provision.weekly.dayofweek = 0123456
static.auto_provision.weekly.begin_time = {$v.Schedule.Daily}
static.auto_provision.weekly.end_time = {$v.Schedule.Daily}
{/if}
{if $v.Firmware.URL}
static.firmware.url = {$v.Firmware.URL}
firmware.url = {$v.Firmware.URL}
{/if}
{foreach $v.Keys as $k}
linekey.{$k.Number}.type = {$keys[$k.Type]}
{if $k.Type != "none"}
linekey.{$k.Number}.line = {$k.Line}
linekey.{$k.Number}.value = {$k.Value}
linekey.{$k.Number}.label = {$k.Label}
{if $k.Pickup}
linekey.{$k.Number}.extension = {$k.Pickup}
{/if}
{/if}
{/foreach}
{foreach $v.ModuleKeys as $k}
expansion_module.{$k.Module}.key.{$k.Number}.type = {$keys[$k.Type]}
{if $k.Type != "none"}
expansion_module.{$k.Module}.key.{$k.Number}.line = {$k.Line}
expansion_module.{$k.Module}.key.{$k.Number}.value = {$k.Value}
expansion_module.{$k.Module}.key.{$k.Number}.label = {$k.Label}
{if $k.Pickup}
expansion_module.{$k.Module}.key.{$k.Number}.extension = {$k.Pickup}
{/if}
{/if}
{/foreach}
{foreach $v.Raw as $name => $value}
{$name} = {$value}
{/foreach}

