<?php
// Renders smarty.cfg.tpl with Smarty for phones that are read from the standard input
// as JSON, each in turn. The PHP process is there already: neither its start nor a
// request or a look-up in a database is counted.
//
// usage: php smarty.php SMARTY.CLASS.PHP TEMPLATE COMPILED-FOLDER SECONDS MODE FIRST
//
// MODE new makes a Smarty object for each file, as each request of a web application
// does; reuse keeps one. FIRST is where the first phone's file is written to.
error_reporting(E_ERROR);
[, $library, $template, $compiled, $seconds, $mode, $first] = $argv;
require $library;

function engine($template, $compiled) {
	$s = new Smarty();
	$s->setTemplateDir(dirname($template));
	$s->setCompileDir($compiled);
	$s->assign('transports', ['udp' => '0', 'tcp' => '1', 'tls' => '2']);
	$s->assign('srtp', ['off' => '0', 'optional' => '1', 'required' => '2']);
	$s->assign('dtmf', ['inband' => '0', 'rfc2833' => '1', 'info' => '2']);
	$s->assign('formats', ['12' => '0', '24' => '1']);
	$s->assign('languages', ['en' => 'English', 'fr' => 'French', 'de' => 'German', 'es' => 'Spanish', 'it' => 'Italian']);
	$s->assign('keys', ['none' => '0', 'park' => '10', 'dtmf' => '11', 'speeddial' => '13', 'line' => '15', 'blf' => '16']);
	$s->assign('codecs', ['g722' => 'g722', 'pcma' => 'pcma', 'pcmu' => 'pcmu', 'g729' => 'g729', 'opus' => 'opus', 'ilbc' => 'ilbc',
		'g726' => 'g726_32', 'g723' => 'g723_63']);
	$s->assign('unused', []);
	return $s;
}

function cpu() {
	$r = getrusage();
	return $r['ru_utime.tv_sec'] + $r['ru_stime.tv_sec'] + ($r['ru_utime.tv_usec'] + $r['ru_stime.tv_usec']) / 1e6;
}

$phones = json_decode(stream_get_contents(STDIN), true);
$name = basename($template);
$s = engine($template, $compiled);
$s->assign('v', $phones[0]);
file_put_contents($first, $s->fetch($name));
$until = microtime(true) + (float)$seconds;
$from = cpu();
for ($n = 0; $n < 20 || $n % 20 || microtime(true) < $until; $n++) {
	if ($mode === 'new') {
		$s = engine($template, $compiled);
	}
	$s->assign('v', $phones[$n % count($phones)]);
	$out = $s->fetch($name);
}
printf("%d %.6f %d\n", $n, cpu() - $from, strlen($out));
