import { Container } from 'inversify';
import { volumeDriverModule } from '../../src/module.js';
import { TOKENS } from '../../src/tokens.js';
import { ComputeService } from './compute-service.js';
import { logFallbacks } from './log-fallbacks.js';

const [configFile = '/etc/libvirt-volume/config.toml', port = '8774'] = process.argv.slice(2);

const container = new Container();
container.load(volumeDriverModule({ configFile }));
const driverFor = container.get(TOKENS.driverFor);
logFallbacks(container.get(TOKENS.events), (line) => {
  console.error(line);
});

const service = new ComputeService({ driverFor, graceMs: 30_000 });
// Asking for the options here lets a wrong config file stop the service before its first request.
const { uri } = container.get(TOKENS.options);
console.error(`Attaching volumes to the guests of ${uri} on http://127.0.0.1:${await service.listen(Number(port))}`);

const stop = async (): Promise<void> => {
  await service.stop();
  await container.unbindAllAsync();
};
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void stop());
