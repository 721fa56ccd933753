/** What is asked of the machine itself. Tests put another in its place. */
import { readFile } from 'node:fs/promises';
import { askHealth, type HealthCheck, type Patient } from './health.ts';
import { isPortFree } from './ports.ts';
import { availableMemory } from './pressure.ts';

export interface Machine {
  /** As whom the agent runs. */
  readonly uid: number;
  /** Text of /etc/passwd. */
  passwd(): Promise<string>;
  isPortFree(port: number): Promise<boolean>;
  askHealth(check: HealthCheck, patient: Patient): Promise<string | null>;
  availableMemory(): Promise<number | null>;
  /** From 0 to below 1. */
  random(): number;
}

export const thisMachine: Machine = {
  uid: process.getuid?.() ?? 0,
  passwd: () => readFile('/etc/passwd', 'utf8'),
  isPortFree,
  askHealth,
  availableMemory,
  random: Math.random,
};
