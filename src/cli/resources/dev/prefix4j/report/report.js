// Shows the values at the pointer; the page is complete without it.
for (const plot of document.querySelectorAll('.plot')) {
  const {lines} = JSON.parse(plot.querySelector('script').textContent);
  const phone = matchMedia('(max-width: 640px)');
  const cursor = document.createElement('div');
  const tip = document.createElement('div');
  cursor.className = 'cursor';
  tip.className = 'tip';
  cursor.hidden = tip.hidden = true;
  plot.append(cursor, tip);

  const nearest = (steps, step) => {
    let low = 0;
    let high = steps.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (steps[middle] < step) low = middle + 1; else high = middle;
    }
    return low > 0 && step - steps[low - 1] < steps[low] - step ? low - 1 : low;
  };

  plot.addEventListener('pointermove', (event) => {
    const box = plot.getBoundingClientRect();
    const [left, right, last] =
        (phone.matches && plot.dataset.phone || plot.dataset.frame).split(' ').map(Number);
    const pointed = ((event.clientX - box.left) / box.width - left) / (right - left) * last;
    const step = lines[0].steps[nearest(lines[0].steps, pointed)];
    const texts = lines.map(({name, steps, values}) => {
      const i = nearest(steps, step);
      const other = [i - 1, i + 1].find((j) => steps[j] === steps[i]); // a range has two values at the same step
      const value = other === undefined
        ? values[i]
        : `${Math.min(values[i], values[other])} to ${Math.max(values[i], values[other])}`;
      return `${name}: ${value}${steps[i] === step ? '' : ` (step ${Math.round(steps[i])})`}`;
    });
    tip.textContent = [`step ${Math.round(step).toLocaleString('en')}`, ...texts].join('\n');
    cursor.hidden = tip.hidden = false;
    const x = (left + step / last * (right - left)) * box.width;
    cursor.style.left = `${x}px`;
    tip.style.left = `${Math.max(0, Math.min(x + 12, box.width - tip.offsetWidth))}px`;
  });
  plot.addEventListener('pointerleave', () => {
    cursor.hidden = tip.hidden = true;
  });
}
