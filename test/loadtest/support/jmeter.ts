/** JMeter, as its authors publish it: that of Debian 12 is ten years old, and loads no plan with the XStream beside it. */
import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { fetchJars } from '../../support/java.ts';

const VERSION = '5.6.3';
const PARTS = ['http', 'functions', 'components', 'config'];

/** The folder of its jars; fetched first if it is not there yet, which takes a minute. */
export function installJMeter(): Promise<string> {
  return fetchJars(
    `jmeter-${VERSION}`,
    PARTS.map((part) => `org.apache.jmeter:ApacheJMeter_${part}:${VERSION}`),
  );
}

/** The command `jmeter` for Java, with its settings unpacked into `folder`. */
export async function jmeterCommand(folder: string): Promise<string[]> {
  const jars = await installJMeter();
  const home = join(folder, 'jmeter');
  await mkdir(join(home, 'lib', 'ext'), { recursive: true });
  const settings = join(jars, `ApacheJMeter_config-${VERSION}.jar`);
  await promisify(execFile)('python3', ['-m', 'zipfile', '-e', settings, home]);
  // Half the time until it has started.
  const quick = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xmx256m'];
  const properties = [`-Djmeter.home=${home}`, `-Djava.util.prefs.userRoot=${folder}`];
  return [...quick, ...properties, '-cp', join(jars, '*'), 'org.apache.jmeter.NewDriver'];
}
